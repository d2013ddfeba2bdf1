from __future__ import annotations

from typing import Any

import pytest

from airflow_codebeamer.emulator import DEMO_TEMPLATE_ID, DEMO_TRACKER_ID, Emulator

TRACKER = str(DEMO_TRACKER_ID)


def missing(document: Any) -> list[str]:
    return [one["text"] for one in document["findings"] if one["ok"] is False]


def test_a_tracker_that_is_fit(commands: Any, writes: Any) -> None:
    document = commands.json("doctor", TRACKER)
    assert document["ok"] is True
    assert missing(document) == []
    checks = {one["check"] for one in document["findings"]}
    assert checks == {"store", "server", "account", "tracker", "role", "lock"}
    text = commands.run("doctor", TRACKER)
    assert text.code == 0
    assert "System Requirements" in text.out
    assert "Project Admin, Developer, Tester" in text.out
    assert "Generator keeps write access" in text.out
    assert writes() == []


def test_without_a_tracker_it_lists_what_the_account_sees(commands: Any) -> None:
    document = commands.json("doctor")
    assert any("Brake System" in one["text"] for one in document["findings"])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"CODEBEAMER_PASSWORD": "wrong"}, "password"),
        ({"CODEBEAMER_EXCLUSIVE_ROLE": ""}, "role"),
        ({"CODEBEAMER_EXCLUSIVE_ROLE": "Developer"}, "not a member"),
        ({"CODEBEAMER_USER": "alice", "CODEBEAMER_PASSWORD": "alice"}, "alice"),
    ],
)
def test_what_is_missing_is_exit_code_1_and_says_what_to_ask_for(
    commands: Any, changes: dict[str, str], says: str, writes: Any
) -> None:
    ran = commands.run("doctor", TRACKER, "--json", **changes)
    assert ran.code == 1
    assert ran.document["ok"] is False
    assert any(says in text for text in missing(ran.document))
    text = commands.run("doctor", TRACKER, **changes)
    assert text.code == 1
    assert "MISSING" in text.out
    assert writes() == []


def test_one_missing_thing_does_not_hide_the_others(
    commands: Any, server: Emulator
) -> None:
    ran = commands.run(
        "doctor", "--json", CODEBEAMER_PASSWORD="x", CODEBEAMER_LOCK_STORE="sqlite:////"
    )
    assert ran.code == 1
    assert len(missing(ran.document)) == 2


def test_a_template_and_a_missing_tracker(commands: Any) -> None:
    for tracker, says in ((DEMO_TEMPLATE_ID, "template"), (9999, "9999")):
        ran = commands.run("doctor", str(tracker), "--json")
        assert ran.code == 1
        assert any(says in text for text in missing(ran.document))


def test_it_does_not_believe_what_was_once_true(
    commands: Any, server: Emulator
) -> None:
    assert commands.json("doctor", TRACKER)["ok"] is True
    world = server.world()
    role = next(r["id"] for r in world["roles"] if r["name"] == "Generator")
    alice = next(u["id"] for u in world["users"] if u["name"] == "alice")
    world["projects"][0]["members"][str(alice)].append(role)
    server.load_world(world)
    ran = commands.run("doctor", TRACKER, "--json")
    assert ran.code == 1
    assert any("alice" in text for text in missing(ran.document))


@pytest.mark.trap("T25")
def test_a_project_is_searched_for_trackers_that_only_look_locked(
    commands: Any, tmp_path: Any, writes: Any
) -> None:
    assert commands.run("doctor", "--project", "BRK").code == 0
    taken = commands.run("lock", "acquire", TRACKER, "--owner", "lost")
    assert taken.code == 0, taken.err
    assert commands.run("doctor", "--project", "BRK").code == 0
    commands.store = f"sqlite:///{tmp_path / 'new.db'}"
    sent = len(writes())
    ran = commands.run("doctor", "--project", "BRK", "--json")
    assert ran.code == 1
    [text] = missing(ran.document)
    assert text.startswith(f"tracker {TRACKER}: only the exclusive role may write")
    assert len(writes()) == sent
    ran = commands.run("doctor", TRACKER, "--json")
    assert ran.code == 1
    [text] = missing(ran.document)
    assert text.startswith("only the exclusive role may write")


def test_an_unknown_project_is_told(commands: Any) -> None:
    ran = commands.run("doctor", "--project", "NONE")
    assert ran.code == 1
    assert "no project 'NONE'" in ran.out


def large(server: Emulator, trackers: int) -> list[int]:
    """Give the demo world's project many trackers more, the last for notices."""
    world = server.world()
    demo = next(one for one in world["trackers"] if one["id"] == DEMO_TRACKER_ID)
    numbers = list(range(9001, 9002 + trackers))
    world["trackers"] += [
        {**demo, "id": number, "name": f"T{number}", "key": f"T{number}"}
        | {"children": [], "template": None, "available_as_template": False}
        for number in numbers
    ]
    role = next(one["id"] for one in world["roles"] if one["name"] == "Generator")
    world["trackers"][-1]["permissions"] = {str(role): list(range(28))}
    server.load_world(world)
    return numbers


def test_a_large_project_costs_a_request_for_each_tracker_and_five(
    commands: Any, server: Emulator, tmp_path: Any
) -> None:
    *numbers, where = large(server, 200)
    notices = {"CODEBEAMER_NOTICE_TRACKER": str(where)}
    for number in numbers[:3]:
        given = (str(number), "--owner", f"run {number}")
        taken = commands.run("lock", "acquire", *given, **notices)
        assert taken.code == 0, taken.err
    commands.store = f"sqlite:///{tmp_path / 'new.db'}"
    server.clear_calls()
    ran = commands.run("doctor", "--project", "BRK", "--json", **notices)
    told = missing(ran.document)
    assert [text.split(":")[0] for text in told if "--from-notice" in text] == [
        f"tracker {number}" for number in numbers[:3]
    ]
    asked = [call["operation"] for call in server.calls()]
    reads = asked.count("getTrackerPermissionsWithRoles")
    trackers = len(server.world()["trackers"])
    # What a notice tells need not be looked at, nor the tracker of the notices.
    assert reads == trackers - 3 - 1
    assert len(asked) - reads == 5, asked


@pytest.mark.nightly
def test_a_server_that_is_gone_is_not_asked_for_each_tracker(
    commands: Any, server: Emulator
) -> None:
    large(server, 20)
    operation = "getTrackerPermissionsWithRoles"
    fault = {"kind": "status", "status": 503, "operation": operation, "every": 1}
    server.add_fault(fault)
    ran = commands.run("doctor", "--project", "BRK", "--json")
    assert ran.code == 1
    assert "the server does not answer" in missing(ran.document)[-1]
    asked = [call["path"] for call in server.calls() if call["operation"] == operation]
    assert len(set(asked)) == 3
