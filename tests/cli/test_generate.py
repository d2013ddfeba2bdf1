from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer.emulator import DEMO_TRACKER_ID, Emulator

TRACKER = str(DEMO_TRACKER_ID)
CAN = "airflow_codebeamer.generators.can:requirements"

#: Quick enough for a test to wait for a dead process's lease, and long enough that
#: a living one on a busy machine keeps it.
QUICK = "ttl=6s,beat=500ms,margin=500ms,lock_delay=500ms,poll=100ms,bridge=10s,settle=0"
#: For who recovers: what is over need not be over for long.
SOON = "ttl=1500ms,beat=300ms,margin=300ms,lock_delay=500ms,bridge=5s,settle=0"


def names(server: Emulator) -> list[str]:
    return [item["name"] for item in server.items(DEMO_TRACKER_ID)]


def test_plan_says_what_would_be_done_and_changes_nothing(
    commands: Any, small: Path, writes: Any
) -> None:
    ran = commands.run("plan", str(small), "--json")
    assert ran.code == 2, ran.err
    plan = ran.document
    assert plan["tracker_id"] == DEMO_TRACKER_ID
    assert plan["counts"]["created"] == 3
    assert plan["requests"] >= 3
    text = commands.run("plan", str(small), CODEBEAMER_REQUESTS_PER_SECOND="50")
    assert text.code == 2
    assert "3 to create" in text.out
    assert re.search(r"that takes \d+s", text.out)
    assert writes() == []


def test_apply_locks_applies_verifies_and_releases(
    server: Emulator, commands: Any, small: Path
) -> None:
    before = server.permissions(DEMO_TRACKER_ID)
    planned = commands.run("plan", str(small), "--json").document
    done = commands.json("apply", str(small))
    assert done["summary"]["created"] == 3
    # What `plan` says that it takes under the lock is what it takes.
    assert done["summary"]["requests"] == planned["requests"] == 5
    assert done["released"][0]["released"] is True
    assert names(server) == ["Folder", "One", "Two"]
    assert server.permissions(DEMO_TRACKER_ID) == before
    assert commands.json("lock", "list") == {"locks": []}


def test_a_second_apply_takes_no_lock(
    server: Emulator, commands: Any, small: Path, writes: Any
) -> None:
    commands.json("apply", str(small))
    server.clear_calls()
    ran = commands.run("apply", str(small), "--tracker", TRACKER)
    assert ran.code == 0
    assert "Nothing to do" in ran.out
    assert writes() == []
    assert len(server.calls()) == 2  # the schema and one page of items
    assert commands.run("plan", str(small)).code == 0


def test_a_generator_needs_no_document(
    server: Emulator, commands: Any, tmp_path: Path
) -> None:
    dbc = tmp_path / "net.dbc"
    dbc.write_text(
        'VERSION ""\nNS_ :\nBS_:\nBU_: A\nBO_ 288 Pedal: 8 A\n'
        ' SG_ Travel : 0|12@1+ (0.05,0) [0|100] "%"  A\n'
    )
    done = commands.json(
        "apply", "--generator", CAN, "--arg", f"dbc={dbc}", "--tracker", TRACKER
    )
    assert done["summary"]["created"] == 2
    assert names(server) == ["0x120 Pedal", "Travel"]


def test_progress_goes_to_stderr_in_lines(commands: Any, small: Path) -> None:
    ran = commands.run("apply", str(small))
    assert ran.code == 0
    assert "create: 3 of 3" in ran.err
    assert "\x1b" not in ran.err
    assert "3 created" in ran.out


def test_a_refusal_half_way_leaves_nothing(
    server: Emulator, commands: Any, small: Path
) -> None:
    before = server.permissions(DEMO_TRACKER_ID)
    server.add_fault(
        {
            "operation": "createTrackerItem",
            "nth": 3,
            "kind": "status",
            "status": 400,
            "message": "The name is reserved.",
        }
    )
    ran = commands.process("apply", str(small), "--json")
    assert ran.code == 1
    error = ran.document["error"]
    assert "reserved" in error["message"]
    assert "rolled back" in " ".join(error["notes"])
    assert "Traceback" not in ran.err
    assert names(server) == []
    assert server.permissions(DEMO_TRACKER_ID) == before
    assert commands.json("lock", "list") == {"locks": []}


HALF_WAY = """
def half_way(count=3):
    for number in range(count):
        yield {"key": str(number), "name": f"Item {number}"}
    raise OSError("the model server went away")
"""


def test_a_generator_that_raises_half_way_leaves_nothing(
    server: Emulator, commands: Any, tmp_path: Path, writes: Any
) -> None:
    (tmp_path / "half_way_generators.py").write_text(HALF_WAY)
    args = ("--generator", "half_way_generators:half_way", "--tracker", TRACKER)
    for ran in (
        commands.run("apply", *args, "--arg", "count=40"),
        commands.process("apply", *args, PYTHONPATH=str(tmp_path)),
    ):
        assert ran.code == 1
        assert "OSError: the model server went away" in ran.err
        assert len(ran.err.splitlines()) == 1
    assert writes() == []
    assert names(server) == []
    assert commands.json("lock", "list") == {"locks": []}


def test_a_foreign_edit_stops_the_plan(
    server: Emulator, commands: Any, small: Path, writes: Any
) -> None:
    commands.json("apply", str(small))
    item = next(i for i in server.items(DEMO_TRACKER_ID) if i["name"] == "One")
    body = {"fieldValues": [{"fieldId": 3, "type": "TextFieldValue", "value": "Mine"}]}
    assert server.act("alice", "PUT", f"/v3/items/{item['id']}/fields", body) == 200
    before = writes()
    ran = commands.run("plan", str(small))
    assert ran.code == 1
    assert len(ran.err.splitlines()) == 1
    assert writes() == before


def test_a_run_can_be_rolled_back_afterwards(
    server: Emulator, commands: Any, small: Path
) -> None:
    before = server.permissions(DEMO_TRACKER_ID)
    run_id = commands.json("apply", str(small))["summary"]["run_id"]
    commands.env["CODEBEAMER_LOCK_TIMING"] = "lock_delay=0"
    back = commands.json("rollback", run_id)
    assert len(back["undone"]) == 3
    assert back["left"] == []
    assert names(server) == []
    assert server.permissions(DEMO_TRACKER_ID) == before


def test_two_processes_for_one_tracker(
    server: Emulator, commands: Any, small: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(small.read_text().replace("key: ", "key: o-"))
    commands.env["CODEBEAMER_LOCK_TIMING"] = QUICK
    server.add_fault({"operation": "createTrackerItem", "kind": "delay", "seconds": 1})
    first = commands.start("apply", str(small), "--reason", "model A", "--owner", "one")
    wait_for_a_call(server, "createTrackerItem", first)
    refused = commands.run("apply", str(other), "--owner", "two")
    assert refused.code == 3
    for word in ("one", "since 20", "until 20", "model A"):
        assert word in refused.err.splitlines()[-1]
    server.clear_faults()
    waiting = commands.process("apply", str(other), "--owner", "two", "--wait", "1m")
    _, err = first.communicate(timeout=60)
    assert first.returncode == 0, err
    assert waiting.code == 0, waiting.err
    assert sorted(names(server)) == sorted(["Folder", "One", "Two"] * 2)


@pytest.mark.parametrize("created", [1, 8])
def test_a_killed_process_leaves_nothing_after_recover(
    server: Emulator, commands: Any, tmp_path: Path, created: int
) -> None:
    before = server.permissions(DEMO_TRACKER_ID)
    commands.env["CODEBEAMER_LOCK_TIMING"] = QUICK
    document = tmp_path / "many.json"
    items = [{"key": f"k{n}", "name": f"Item {n}"} for n in range(40)]
    document.write_text(
        json.dumps(
            {"owner": "o", "target": {"tracker": DEMO_TRACKER_ID}, "items": items}
        )
    )
    server.add_fault(
        {"operation": "createTrackerItem", "kind": "delay", "seconds": 0.05}
    )
    process = commands.start("apply", str(document))
    wait_for_items(server, created, process)
    process.kill()
    process.communicate(timeout=10)
    server.clear_faults()
    assert len(names(server)) >= created
    assert server.permissions(DEMO_TRACKER_ID) != before

    early = commands.json("recover")
    assert early["recovered"] == []
    assert early["held"][0]["tracker_id"] == DEMO_TRACKER_ID
    commands.env["CODEBEAMER_LOCK_TIMING"] = SOON
    deadline = time.monotonic() + 60
    dry: list[Any] = []
    while not dry and time.monotonic() < deadline:
        dry = commands.json("recover", "--dry-run")["recovered"]
    assert dry[0]["action"] == "would recover"
    assert server.permissions(DEMO_TRACKER_ID) != before
    actions = []
    # On a busy machine a recovery, too, may lose its short lease; the next goes on.
    while "recovered" not in actions and time.monotonic() < deadline:
        done = commands.run("recover", "--json").document["recovered"]
        actions += [one["action"] for one in done]
    assert actions[-1:] == ["recovered"]
    assert names(server) == []
    assert server.permissions(DEMO_TRACKER_ID) == before
    assert commands.json("recover") == {"dry_run": False, "recovered": [], "held": []}
    assert commands.json("apply", str(document))["summary"]["created"] == 40


def test_a_terminated_process_undoes_and_releases_itself(
    server: Emulator, commands: Any, small: Path
) -> None:
    before = server.permissions(DEMO_TRACKER_ID)
    server.add_fault(
        {"operation": "createTrackerItem", "kind": "delay", "seconds": 0.3}
    )
    process = commands.start("apply", str(small))
    wait_for_items(server, 1, process)
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert "Traceback" not in err
    assert names(server) == []
    assert server.permissions(DEMO_TRACKER_ID) == before
    assert commands.json("lock", "list") == {"locks": []}


def wait_for_items(
    server: Emulator, number: int, process: subprocess.Popen[str]
) -> None:
    until(lambda: len(names(server)) >= number, process)


def wait_for_a_call(
    server: Emulator, operation: str, process: subprocess.Popen[str]
) -> None:
    until(lambda: any(c["operation"] == operation for c in server.calls()), process)


def until(happened: Any, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_plan_as_markdown(commands: Any, small: Path) -> None:
    ran = commands.run("plan", str(small), "--markdown")
    assert ran.code == 2
    assert "| new item | name | below |" in ran.out
    assert "| one | One | folder |" in ran.out


def test_the_schema_is_printed_without_a_server(commands: Any) -> None:
    schema = commands.json("schema")
    assert "FieldUpdate" in schema["$defs"]


def test_a_document_to_begin_with(commands: Any, small: Path, tmp_path: Path) -> None:
    commands.json("apply", str(small))
    path = tmp_path / "new.yaml"
    commands.json("generate", "init", TRACKER, "--output", str(path))
    again = commands.run("plan", str(path))
    assert again.code == 0, again.out
    assert commands.run("generate", "init", TRACKER, "--output", str(path)).code == 64


def test_an_update_of_one_field_of_all_items(
    server: Emulator, commands: Any, small: Path, tmp_path: Path
) -> None:
    commands.json("apply", str(small))
    path = tmp_path / "update.yaml"
    path.write_text(
        "kind: update\nowner: release\ntarget: {project: BRK, tracker: SYSREQ}\n"
        "set: {Priority: High}\n"
    )
    done = commands.json("apply", str(path))
    assert done["summary"]["updated"] == 3
    found = {item["priority"]["name"] for item in server.items(DEMO_TRACKER_ID)}
    assert found == {"High"}
    undone = commands.json("rollback", done["summary"]["run_id"])
    assert undone["left"] == []
    assert not any("priority" in item for item in server.items(DEMO_TRACKER_ID))


def test_one_field_of_all_items_needs_no_document(
    server: Emulator, commands: Any, small: Path, writes: Any
) -> None:
    commands.json("apply", str(small))
    given = ("--set", "Priority=High", "--set", "Factor=2.5", "--tracker", TRACKER)
    ran = commands.run("plan", *given, "--where", "summary = 'One'", "--json")
    assert (ran.code, ran.document["counts"]["updated"]) == (2, 1)
    planned = commands.run("plan", *given, "--json").document
    done = commands.json("apply", *given)
    assert done["summary"]["updated"] == 3
    assert done["summary"]["requests"] == planned["requests"] == 3
    for item in server.items(DEMO_TRACKER_ID):
        assert item["priority"]["name"] == "High"
        factor = next(f for f in item["customFields"] if f["name"] == "Factor")
        assert factor["value"] == 2.5
    before = writes()
    for wrong, advice in [
        (("plan", "--set", "Priority=High"), "--tracker"),
        (("plan", "--set", "High", "--tracker", TRACKER), "name=value"),
        (("plan", str(small), "--set", "Priority=High"), "either"),
        (("plan", str(small), "--where", "item.id > 1"), "--where"),
        (("plan", "--set", "Prioritiy=High", "--tracker", TRACKER), "Priority"),
    ]:
        refused = commands.run(*wrong)
        assert refused.code not in (0, 2)
        assert advice in refused.err
    assert writes() == before
