from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

TRACKER = "2001"


@pytest.fixture(autouse=True)
def _quick(commands: Any) -> None:
    """Wait no longer than it takes for requests of a lost lock."""
    commands.env["CODEBEAMER_LOCK_TIMING"] = "lock_delay=100ms"


@pytest.fixture
def escrow(commands: Any, server: Any, tmp_path: Path) -> Path:
    """A tracker that is locked, its escrow, and a store that knows nothing of it."""
    file = tmp_path / "escrow.jsonl"
    commands.before = server.permissions(int(TRACKER))
    told = commands.run(
        "lock", "acquire", TRACKER, "--owner", "nightly", "--escrow", str(file)
    )
    assert told.code == 0, told.err
    assert "codebeamer_escrow" not in told.out + told.err
    commands.store = f"sqlite:///{tmp_path / 'new.db'}"
    return file


@pytest.mark.trap("T25")
def test_it_gives_everything_back(commands, server, escrow) -> None:
    told = commands.run("restore", "--from-escrow", str(escrow), "--yes")
    assert told.code == 0, told.err
    assert "Tracker 2001 is free; put back:" in told.out
    assert server.permissions(int(TRACKER)) == commands.before


def test_a_dry_run_says_what_each_role_gets(commands, server, escrow, writes) -> None:
    reduced = server.permissions(int(TRACKER))
    told = commands.run("restore", "--from-escrow", str(escrow), "--dry-run")
    assert told.code == 0
    assert "locked by nightly" in told.out
    assert "gets back" in told.out
    assert server.permissions(int(TRACKER)) == reduced


def test_it_asks_and_without_anybody_to_ask_it_refuses(
    commands, server, escrow
) -> None:
    reduced = server.permissions(int(TRACKER))
    told = commands.run("restore", "--from-escrow", str(escrow))
    assert told.code == 64
    assert "--yes" in told.err
    assert "gets back" in told.err
    assert server.permissions(int(TRACKER)) == reduced


def test_a_store_that_knows_the_holder_refuses(commands, escrow, tmp_path) -> None:
    commands.store = f"sqlite:///{tmp_path / 'locks.db'}"
    told = commands.run("restore", "--from-escrow", str(escrow), "--yes")
    assert told.code == 3
    assert "locked by nightly" in told.err


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("missing.log", "missing.log cannot be read"),
        ("empty.log", "no line of it has codebeamer_escrow"),
        ("cut.log", "line 1 cannot be used: the line is cut off"),
    ],
)
def test_a_file_without_escrow_is_refused(
    commands, escrow, tmp_path, file: str, words: str
) -> None:
    (tmp_path / "empty.log").write_text("a log\nof something\n")
    (tmp_path / "cut.log").write_text(escrow.read_text()[:200])
    told = commands.run("restore", "--from-escrow", str(tmp_path / file), "--yes")
    assert told.code in (1, 64)
    assert words in told.err
    assert "Traceback" not in told.err


def test_another_tracker_and_no_source_are_refused(commands, escrow) -> None:
    told = commands.run("restore", "2002", "--from-escrow", str(escrow), "--yes")
    assert told.code == 1
    assert "is of tracker 2001, and not of 2002" in told.err
    told = commands.run("restore")
    assert told.code == 64
    assert "--from-escrow" in told.err


def test_escrow_goes_to_stderr_where_that_is_said(commands) -> None:
    told = commands.run("lock", "acquire", TRACKER, "--owner", "a", "--escrow", "-")
    assert '{"codebeamer_escrow":1,' in told.err
    assert "codebeamer_escrow" not in told.out


def test_an_escrow_file_that_cannot_be_written_refuses_the_lock(
    commands, server, tmp_path
) -> None:
    before = server.permissions(int(TRACKER))
    told = commands.run(
        "lock", "acquire", TRACKER, "--owner", "a", "--escrow", str(tmp_path)
    )
    assert told.code == 64
    assert "cannot be written" in told.err
    assert server.permissions(int(TRACKER)) == before
    assert "free" in commands.run("lock", "show", TRACKER).out


def test_it_holds_no_secret(commands, escrow) -> None:
    assert commands.secret not in escrow.read_text()


def test_it_takes_the_file_from_the_notice(commands, server, tmp_path) -> None:
    before = server.permissions(int(TRACKER))
    world = server.world()
    other = {**world["trackers"][0], "id": 2999, "key": "NOTE", "children": []}
    world["trackers"].append(other)
    server.load_world(world)
    commands.env["CODEBEAMER_NOTICE_TRACKER"] = "2999"
    told = commands.run("lock", "acquire", TRACKER, "--owner", "a")
    assert told.code == 0, told.err
    commands.store = f"sqlite:///{tmp_path / 'new.db'}"
    told = commands.run("lock", "acquire", TRACKER, "--owner", "b")
    assert told.code == 1
    assert "restore 2001 --from-notice" in told.err
    told = commands.run("restore", TRACKER, "--from-notice", "--yes")
    assert told.code == 0, told.err
    assert server.permissions(int(TRACKER)) == before
    told = commands.run("lock", "acquire", TRACKER, "--owner", "b")
    assert told.code == 0, told.err


def test_neither_line_nor_notice_has_a_secret(commands, server, tmp_path) -> None:
    """What is left here is searched once more, in all forms, by tests/secrets."""
    world = server.world()
    role = next(one["id"] for one in world["roles"] if one["name"] == "Generator")
    demo = next(one for one in world["trackers"] if one["id"] == int(TRACKER))
    board = {"id": 9001, "name": "Notices", "key": "NOTE", "children": []}
    rights = {"permissions": {str(role): list(range(28))}}
    world["trackers"].append({**demo, **board, **rights})
    server.load_world(world)

    file = tmp_path / "escrow.jsonl"
    told = commands.run(
        *("lock", "acquire", TRACKER, "--owner", "nightly", "--reason", "a fill"),
        *("--escrow", str(file), "--notice-tracker", "9001"),
    )
    assert told.code == 0, told.err
    left = server.world()
    hung = [
        base64.b64decode(revision["content"]).decode()
        for one in left["attachments"]
        for revision in one["revisions"]
    ]
    said = [one["values"] for one in left["items"] if one["tracker"] == 9001]
    notices = tmp_path / "notices.json"
    notices.write_text(json.dumps({"hung": hung, "said": said}))
    assert "LOCKED: only nightly" in notices.read_text()
    # The first line was written before the server kept what it keeps of an admin's.
    assert hung[-1] == file.read_text().splitlines(keepends=True)[-1]
    basic = base64.b64encode(f"generator:{commands.secret}".encode()).decode()
    for text in (notices.read_text(), file.read_text()):
        for secret in (commands.secret, basic, commands.store):
            assert secret not in text
