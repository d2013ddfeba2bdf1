"""`lock queue`, `lock leave`, `--priority`: who waits, as the command line tells."""

from __future__ import annotations

import time
from typing import Any

import pytest

from airflow_codebeamer.emulator import DEMO_TRACKER_ID

TRACKER = str(DEMO_TRACKER_ID)


def wait(commands: Any, name: str, *more: str) -> Any:
    """Start a command that waits, and return it when it is in the queue."""
    waiting = commands.start(
        *("lock", "acquire", TRACKER, "--owner", name, "--wait", "2m", "--json"), *more
    )
    end = time.monotonic() + 60
    while name not in names(commands):
        assert waiting.poll() is None, waiting.communicate()
        assert time.monotonic() < end
    return waiting


def names(commands: Any) -> list[str]:
    tickets = commands.json("lock", "queue", TRACKER)["tickets"]
    return [ticket["owner"]["key"] for ticket in tickets]


@pytest.mark.trap("T27")
def test_who_waits_is_listed_shown_served_in_order_and_removed(commands: Any) -> None:
    commands.env["CODEBEAMER_LOCK_TIMING"] = "poll=100ms,waiter_ttl=5s"
    assert commands.run("lock", "queue").out == "Nobody waits.\n"
    commands.json("lock", "acquire", TRACKER, "--owner", "first")
    low = wait(commands, "low", "--reason", "nightly")
    killed = wait(commands, "killed", "--priority", "2")
    urgent = wait(commands, "urgent", "--priority", "1")
    assert names(commands) == ["killed", "urgent", "low"]
    shown = commands.json("lock", "show", TRACKER)["waiting"]
    assert [(one["turn"], one["priority"]) for one in shown] == [(1, 2), (2, 1), (3, 0)]
    text = commands.run("lock", "show", TRACKER).out
    assert "waits           3. low since 20" in text
    table = commands.run("lock", "queue").out.splitlines()
    assert table[0].split()[:5] == ["turn", "owner", "trackers", "priority", "since"]
    assert "nightly" in table[3]

    killed.kill()
    killed.communicate()
    commands.json("lock", "release", "--owner", "first")
    out, err = urgent.communicate(timeout=90)
    assert urgent.returncode == 0, err
    assert '"urgent"' in out
    assert names(commands) == ["killed", "low"]
    dead = commands.json("lock", "queue", TRACKER)["tickets"][0]
    assert (dead["turn"], dead["is_live"]) == (None, False)
    assert "not seen since 20" in commands.run("lock", "queue").out

    left = commands.json("lock", "leave", "--owner", "low", TRACKER)["left"]
    assert [one["owner"]["key"] for one in left] == ["low"]
    out, err = low.communicate(timeout=90)
    assert low.returncode == 1
    assert "its ticket was removed" in err
    ran = commands.run("lock", "leave", "--owner", "low")
    assert (ran.code, ran.out) == (0, "low waits for nothing.\n")


def test_tracker_that_is_kept_is_exit_code_3(commands: Any) -> None:
    commands.json("lock", "acquire", TRACKER, "--owner", "first")
    ran = commands.run(
        *("lock", "acquire", TRACKER, "--owner", "gave up", "--wait", "1s", "--json")
    )
    assert ran.code == 3
    assert names(commands) == ["gave up"], "its place is kept for another try"
    commands.json("lock", "release", "--owner", "first")
    commands.json("lock", "acquire", TRACKER, "--owner", "second")
    commands.json("lock", "release", "--owner", "second")
    commands.json("lock", "acquire", TRACKER, "--owner", "gave up")
    assert names(commands) == []


def test_a_person_moves_who_waits(commands: Any) -> None:
    commands.json("lock", "acquire", TRACKER, "--owner", "first")
    for name in ("early", "late"):
        wait = ("--owner", name, "--wait", "100ms")
        assert commands.run("lock", "acquire", TRACKER, *wait).code == 3
    move = ("lock", "reorder", TRACKER, "--priority", "3", "--reason", "the release")
    ran = commands.run(*move, "--owner", "late")
    assert ran.code == 0, ran.err
    assert f"late waits for tracker {TRACKER} with priority 3, turn" in ran.out
    assert names(commands) == ["late", "early"]
    assert "the release" in commands.run("lock", "history", TRACKER).out
    nobody = commands.run(*move, "--owner", "nobody")
    assert nobody.code == 64
    assert "nobody waits for nothing" in nobody.err
