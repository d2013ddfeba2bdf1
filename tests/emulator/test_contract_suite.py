"""The contract suite's promises: two subjects, two clients, evidence for all."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.recording import EditedError, References, read, write

ROOT = Path(__file__).parents[2]
SUITE = ROOT / "tests" / "contracts"
VENDOR = os.environ.get("CODEBEAMER_VENDOR_DESCRIPTION", "")
PASSWORDS = {
    "CODEBEAMER_PASSWORD": "generator",
    "CODEBEAMER_OTHER_PASSWORD": "alice",
    "CODEBEAMER_ADMIN_PASSWORD": "bond",
}


def run(*arguments: str, where: str = "tests/contracts") -> tuple[int, str]:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            where,
            *arguments,
        ],
        cwd=ROOT,
        env={**os.environ, **PASSWORDS},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def live() -> Iterator[list[str]]:
    """Options for a server that the suite knows nothing about but its address."""
    code = "from airflow_codebeamer.emulator import serve; serve()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            told = {
                "url": process.stdout.readline().split()[-1],
                "user": "generator",
                "other": "alice",
                "admin": "bond",
                "tracker": "2001",
                "derived-tracker": "2004",
                "role": "Tester",
                "release": "22.10",
            }
            yield [f"--codebeamer-{name}={value}" for name, value in told.items()]
        finally:
            process.kill()


def test_a_live_server_is_asked_recorded_and_compared_with(
    live: list[str], tmp_path: Path
) -> None:
    answers = tmp_path / "answers.json"
    kept = f"--codebeamer-recordings={tmp_path / 'kept'}"
    code, told = run(
        *live, kept, "--codebeamer-record", f"--codebeamer-answers={answers}"
    )
    assert code == 0, told
    assert "about the emulator alone" in told
    assert "What does a write to a tracker that is locked in the page answer?" in told
    found = json.loads(answers.read_text())
    assert {one["question"] for one in found.values()} >= {2, 3, 5, 6, 7, 8, 10, 11, 12}
    assert all(one["as_assumed"] for one in found.values())

    # The recordings hold: another emulator answers as they say.
    code, told = run(kept)
    assert code == 0, told
    # And one that says something else is noticed.
    file = tmp_path / "kept" / "test_documented.test_one_finds_oneself_by_name.json"
    data = read(file)
    data["exchanges"][0]["status"] = 418
    write(file, **data)
    code, told = run(kept, "-k", "finds_oneself")
    assert code == 1
    assert "418" in told
    # A hand on it is refused before any test runs.
    file.write_text(file.read_text().replace("418", "200"))
    code, told = run(kept, "-k", "finds_oneself")
    assert code == 4
    assert "was edited by hand; record it again" in told


def test_a_password_is_never_an_argument() -> None:
    code, told = run("--codebeamer-url=http://127.0.0.1:9", "--codebeamer-user=x")
    assert code != 0
    options = (SUITE / "options.py").read_text()
    assert '"password"' not in options
    code, told = run("--help")
    assert "--codebeamer-password-file" in told
    assert not re.search(r"--codebeamer-password\b(?!-file)", told)


def test_a_client_generated_from_our_description_runs_the_suite() -> None:
    code, told = run("--codebeamer-client=own")
    assert code == 0, told
    # It is closed: two tests send what it cannot say, and no more than two.
    assert told.count("a client with closed models cannot say") == 2


@pytest.mark.skipif(
    not VENDOR, reason="CODEBEAMER_VENDOR_DESCRIPTION names no openapi-22.10.json"
)
def test_a_client_generated_from_the_vendors_description_runs_the_suite() -> None:
    code, told = run(f"--codebeamer-client={VENDOR}")
    assert code == 0, told
    assert "cannot say" not in told


@pytest.mark.parametrize(
    ("marks", "told"),
    [
        ("", "rests on nothing"),
        ("@pytest.mark.emulator_only\n@pytest.mark.documented", "and emulator_only"),
        ("@pytest.mark.verified", "is verified and has no recording"),
    ],
)
def test_a_test_says_what_it_rests_on(marks: str, told: str) -> None:
    folder = ROOT / "build" / "tests" / f"contracts-{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        rule = (SUITE / "conftest.py").read_text()
        # Options are looked for where a run starts, which is this folder.
        declare = "\n\ndef pytest_addoption(parser):\n    add_options(parser)\n"
        (folder / "conftest.py").write_text(
            rule.replace("import live_subject", "import add_options, live_subject")
            + declare
        )
        (folder / "test_new.py").write_text(
            f"import pytest\n\n\n{marks}\ndef test_new():\n    pass\n"
        )
        code, shown = run(where=str(folder))
    finally:
        shutil.rmtree(folder)
    assert code == 4, shown
    assert told in shown


def test_every_unknown_has_its_question() -> None:
    texts = "".join(file.read_text() for file in SUITE.glob("test_assumed_*.py"))
    asked = [int(number) for number in re.findall(r"question=(\d+)", texts)]
    assert set(asked) == set(range(1, 15))
    assert texts.count("@pytest.mark.assumed") == len(asked)


def test_references_keep_what_belongs_together() -> None:
    seen = References()
    item = {"id": 7, "name": "Brake", "type": "TrackerItemReference"}
    first = seen.replace({"item": item, "at": "2026-01-01T00:00:00.000"})
    again = seen.replace({"itemId": 7, "message": "Brake [7] is locked", "n": 7})
    assert first["item"]["id"] == again["itemId"] == "<TrackerItem id 1>"
    assert first["at"] == "<time 1>"
    assert again["message"] == "<name 1> [<TrackerItem id 1>] is locked"
    assert again["n"] == 7
    assert seen.replace({"fieldId": 3})["fieldId"] == 3


def test_an_edited_recording_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    write(file, release="22.10", date="2026-11-21", exchanges=[{"status": 200}])
    assert read(file)["release"] == "22.10"
    file.write_text(file.read_text().replace("22.10", "2.1"))
    with pytest.raises(EditedError, match=r"one\.json was edited by hand"):
        read(file)
    file.write_text("{}")
    with pytest.raises(EditedError, match="is no recording"):
        read(file)
