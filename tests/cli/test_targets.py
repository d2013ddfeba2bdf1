"""`plan`, `apply` and `rollback` for several trackers at once, and for programs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer.emulator import ALL_PERMISSIONS, Emulator, WorldBuilder
from tests.generator.speak import SERVER, SPEAK


@pytest.fixture
def trackers(server: Emulator, commands: Any) -> tuple[int, int]:
    """Return two empty trackers of one project: tests, and requirements."""
    builder = WorldBuilder()
    account = builder.user("generator", password=commands.secret)
    project = builder.project("Brake System", "BRK")
    role = builder.role(project, "Generator", trackers_admin=True)
    builder.member(project, account, role)
    rights = {role: ALL_PERMISSIONS, builder.role(project, "Tester"): [0, 1, 2]}
    tests = builder.tracker(project, "Tests", "TST", permissions=rights)
    needs = builder.tracker(project, "Requirements", "REQ", permissions=rights)
    server.load_world(builder.build())
    return int(tests), int(needs)


@pytest.fixture
def two(trackers: tuple[int, int], tmp_path: Path) -> Path:
    """Return the file of two documents; what the first points at is in the second."""
    path = tmp_path / "two.yaml"
    path.write_text(
        "owner: tests\ntarget: {project: BRK, tracker: TST}\nitems:\n"
        "  - key: t\n    name: T\n"
        "    fields: {Subject: {tracker: Requirements, key: n}}\n"
        "---\n"
        f"owner: tests\ntarget: {{tracker: {trackers[1]}}}\n"
        "items: [{key: n, name: N}]\n"
    )
    return path


def test_documents_for_two_trackers_are_one_run(
    server: Emulator, commands: Any, trackers: tuple[int, int], two: Path
) -> None:
    tests, needs = trackers
    before = [server.permissions(one) for one in trackers]
    planned = commands.run("plan", str(two), "--json")
    assert planned.code == 2, planned.err
    assert planned.document["counts"]["created"] == 2
    assert [p["tracker_id"] for p in planned.document["plans"]] == [needs, tests]
    assert f"## Tracker {needs}" in commands.run("plan", str(two), "--markdown").out

    done = commands.json("apply", str(two))
    assert done["tracker_ids"] == [tests, needs]
    # What was written last is released first.
    assert [one["tracker_id"] for one in done["released"]] == [tests, needs]
    (test,) = server.items(tests)
    assert [one["name"] for one in test["subjects"]] == ["N"]
    again = commands.run("apply", str(two))
    assert again.code == 0
    assert "were not locked" in again.out

    undone = commands.json("rollback", done["summary"]["run_id"])
    assert (len(undone["undone"]), undone["left"]) == (2, [])
    assert server.items(tests) + server.items(needs) == []
    assert [server.permissions(one) for one in trackers] == before
    assert commands.json("lock", "list") == {"locks": []}
    member = f"{done['summary']['run_id']}.1"
    assert commands.run("rollback", member).code == 0


def test_a_refusal_in_the_second_leaves_nothing_in_the_first(
    server: Emulator, commands: Any, trackers: tuple[int, int], two: Path
) -> None:
    fault = {"operation": "createTrackerItem", "nth": 2, "kind": "status"}
    server.add_fault({**fault, "status": 400, "message": "The name is reserved."})
    refused = commands.run("apply", str(two))
    assert refused.code == 1
    assert "reserved" in refused.err
    assert [server.items(one) for one in trackers] == [[], []]
    assert commands.json("lock", "list") == {"locks": []}


def test_all_trackers_are_locked_or_none(
    server: Emulator, commands: Any, trackers: tuple[int, int], two: Path
) -> None:
    _, needs = trackers
    commands.json("lock", "acquire", str(needs), "--owner", "alice")
    refused = commands.run("apply", str(two))
    assert refused.code == 3
    assert "alice" in refused.err
    (left,) = commands.json("lock", "list")["locks"]
    assert (left["tracker_id"], left["owner"]["key"]) == (needs, "alice")
    wrong = commands.run("apply", str(two), "--tracker", str(needs))
    assert "name their trackers themselves" in wrong.err


def writing(path: Path, end: str) -> str:
    """Return the generator option of a program that creates an item by itself."""
    path.write_text(SPEAK + SERVER + f'create("Mine")\n{end}\n')
    command = {"command": [sys.executable, str(path)], "kind": "delegate"}
    return json.dumps(command)


def test_a_program_that_writes_itself(
    server: Emulator, commands: Any, trackers: tuple[int, int], tmp_path: Path
) -> None:
    tests, _ = trackers
    good = writing(tmp_path / "good.py", 'say("result")')
    given = ("--generator", good, "--tracker", str(tests))
    assert "writes to Codebeamer itself" in commands.run("plan", *given).err
    done = commands.json("apply", *given)
    assert done["summary"]["created"] == 1
    assert done["released"][0]["released"] is True
    assert [item["name"] for item in server.items(tests)] == ["Mine"]

    bad = writing(tmp_path / "bad.py", "sys.exit(65)")
    failed = commands.run("apply", "--generator", bad, "--tracker", str(tests))
    assert failed.code == 1
    assert [item["name"] for item in server.items(tests)] == ["Mine"]
    assert commands.json("lock", "list") == {"locks": []}
