from __future__ import annotations

import json
import os
import pwd
import socket
from typing import Any

import pytest

from airflow_codebeamer.cli.session import who
from airflow_codebeamer.emulator import DEMO_TRACKER_ID, Emulator

TRACKER = str(DEMO_TRACKER_ID)


def test_a_lock_is_taken_shown_and_given_back(server: Emulator, commands: Any) -> None:
    before = server.permissions(DEMO_TRACKER_ID)
    taken = commands.json(
        "lock", "acquire", TRACKER, "--owner", "me", "--reason", "new model"
    )
    (lock,) = taken["locks"]
    assert lock["state"] == "held"
    assert lock["owner"]["key"] == "me"
    assert server.permissions(DEMO_TRACKER_ID) != before

    (listed,) = commands.json("lock", "list")["locks"]
    assert listed["tracker_id"] == DEMO_TRACKER_ID
    assert listed["reason"] == "new model"
    shown = commands.json("lock", "show", TRACKER)
    assert shown["lease_until"] > shown["acquired_at"]

    released = commands.json("lock", "release", "--owner", "me")
    (report,) = released["released"]
    assert report["released"] is True
    assert set(report["restored"]) == {"Project Admin", "Developer", "Tester"}
    assert server.permissions(DEMO_TRACKER_ID) == before
    assert commands.json("lock", "list") == {"locks": []}
    assert commands.json("lock", "show", TRACKER)["state"] == "free"
    kinds = [
        event["kind"] for event in commands.json("lock", "history", TRACKER)["events"]
    ]
    assert kinds[0] == "grant"
    assert kinds[-1] == "restored_verified"


def test_text_says_who_since_when_until_when_and_why(commands: Any) -> None:
    ran = commands.run(
        "lock", "acquire", TRACKER, "--owner", "me", "--reason", "new model"
    )
    assert ran.code == 0, ran.err
    assert f"Tracker {TRACKER} is held by me until 20" in ran.out
    ran = commands.run("lock", "list")
    assert ran.out.splitlines()[0].split()[:5] == [
        "tracker",
        "state",
        "owner",
        "since",
        "until",
    ]
    assert "new model" in ran.out
    assert "new model" in commands.run("lock", "show", TRACKER).out
    assert "grant" in commands.run("lock", "history", TRACKER).out
    ran = commands.run("lock", "release", "--owner", "me", TRACKER)
    assert f"Tracker {TRACKER} is free" in ran.out
    assert commands.run("lock", "list").out == "No tracker is locked.\n"


@pytest.mark.trap("T18")
def test_somebody_elses_lock_is_exit_code_3_and_says_whose(
    commands: Any, writes: Any
) -> None:
    commands.json("lock", "acquire", TRACKER, "--owner", "first", "--reason", "model A")
    before = writes()
    ran = commands.run("lock", "acquire", TRACKER, "--owner", "second")
    assert ran.code == 3
    assert ran.out == ""
    (line,) = ran.err.splitlines()
    for word in ("first", "since 20", "until 20", "model A"):
        assert word in line
    told = commands.run("lock", "acquire", TRACKER, "--owner", "second", "--json")
    assert told.code == 3
    assert told.document["error"]["kind"] == "LockHeldError"
    assert told.document["error"]["owner"] == "first"
    assert writes() == before


def test_the_same_owner_gets_the_lock_again(commands: Any, writes: Any) -> None:
    first = commands.json("lock", "acquire", TRACKER, "--owner", "me")
    before = writes()
    second = commands.json("lock", "acquire", TRACKER, "--owner", "me")
    assert second["locks"][0]["epoch"] == first["locks"][0]["epoch"]
    assert writes() == before


def test_waiting_ends_when_the_holder_releases(commands: Any) -> None:
    commands.env["CODEBEAMER_LOCK_TIMING"] = "poll=100ms"
    commands.json("lock", "acquire", TRACKER, "--owner", "first")
    waiting = commands.start(
        "lock", "acquire", TRACKER, "--owner", "second", "--wait", "1m", "--json"
    )
    commands.json("lock", "release", "--owner", "first")
    out, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, err
    assert '"second"' in out


def test_nothing_held_is_a_successful_release(commands: Any, writes: Any) -> None:
    ran = commands.run("lock", "release", "--owner", "nobody")
    assert (ran.code, ran.out) == (0, "nobody holds nothing\n")
    ran = commands.run("lock", "release", "--owner", "nobody", TRACKER)
    assert (ran.code, ran.out) == (
        0,
        f"Tracker {TRACKER}: nothing to release, nothing is locked.\n",
    )
    assert writes() == []


def test_drift_is_kept_and_is_exit_code_4(server: Emulator, commands: Any) -> None:
    commands.json("lock", "acquire", TRACKER, "--owner", "me")
    roles = {role["name"]: role["id"] for role in server.world()["roles"]}
    path = f"/v3/trackers/{TRACKER}/roles/{roles['Tester']}/permissions"
    body = {"permissions": [{"id": 2}]}
    assert server.act("bond", "PUT", path, body) == 200
    ran = commands.run("lock", "release", "--owner", "me", "--json")
    assert ran.code == 4, ran.err
    (report,) = ran.document["released"]
    assert "Tester" in report["drift"][0]


def test_all_locks_or_none(server: Emulator, commands: Any) -> None:
    other = next(
        tracker["id"]
        for tracker in server.world()["trackers"]
        if tracker["name"] == "Stakeholder Requirements"
    )
    before = server.permissions(DEMO_TRACKER_ID)
    commands.json("lock", "acquire", str(other), "--owner", "first")
    ran = commands.run("lock", "acquire", str(other), TRACKER, "--owner", "second")
    assert ran.code == 3
    assert server.permissions(DEMO_TRACKER_ID) == before
    locks = commands.json("lock", "list")["locks"]
    assert [(lock["tracker_id"], lock["owner"]["key"]) for lock in locks] == [
        (other, "first")
    ]


@pytest.mark.trap("T16")
def test_breaking_restores_and_says_who_and_why(
    server: Emulator, commands: Any
) -> None:
    commands.env["CODEBEAMER_LOCK_TIMING"] = "lock_delay=100ms"
    before = server.permissions(DEMO_TRACKER_ID)
    commands.json("lock", "acquire", TRACKER, "--owner", "first")
    report = commands.json(
        "lock", "break", TRACKER, "--reason", "he is on holiday", "--by", "boss"
    )
    assert report["released"] is True
    assert server.permissions(DEMO_TRACKER_ID) == before
    name = f"boss ({who()})"
    for words in (("history", TRACKER), ("show", TRACKER), ("why", TRACKER, "Tester")):
        told = commands.run("lock", *words).out
        assert name in told, words
        assert "he is on holiday" in told, words
    (said,) = commands.json("lock", "show", TRACKER)["decisions"]
    assert (said["who"], said["what"]) == (name, "broke the lock")


@pytest.mark.parametrize(
    ("by", "sudo", "shown"),
    [
        ((), "", "{}"),
        (("--by", "boss"), "", "boss ({})"),
        ((), "carol", "carol by sudo ({})"),
        (("--by", "boss"), "carol", "boss, carol by sudo ({})"),
    ],
)
def test_nobody_can_leave_his_account_and_machine_out(
    commands: Any, by: tuple[str, ...], sudo: str, shown: str
) -> None:
    commands.env |= {"CODEBEAMER_LOCK_TIMING": "lock_delay=100ms", "SUDO_USER": sudo}
    commands.env |= {"LOGNAME": "somebody", "USER": "somebody"}
    commands.json("lock", "acquire", TRACKER, "--owner", "first")
    commands.json("lock", "break", TRACKER, "--reason", "stuck", *by)
    (said,) = commands.json("lock", "show", TRACKER)["decisions"]
    account = pwd.getpwuid(os.getuid()).pw_name
    assert said["who"] == shown.format(f"{account}@{socket.gethostname()}")


def test_show_names_each_right_that_is_owed(server: Emulator, commands: Any) -> None:
    commands.env["CODEBEAMER_LOCK_TIMING"] = "lock_delay=100ms"
    commands.json("lock", "acquire", TRACKER, "--owner", "first")
    shown = commands.json("lock", "show", TRACKER)
    rights = {one["role"]: one["rights"] for one in shown["owed_rights"]}
    assert list(rights) == shown["owed"]
    assert "issue_edit" in rights["Tester"]
    assert "issue_view" not in rights["Tester"]
    line = f"gets back at the release: {', '.join(rights['Tester'])}."
    told = commands.run("lock", "show", TRACKER).out
    assert f"Role Tester {line}" in told
    # The first role is given back, and then the server refuses.
    server.add_fault(
        {"kind": "status", "status": 403, "method": "PUT", "nth": 2, "times": 9}
    )
    assert commands.run("lock", "release", "--owner", "first").code == 1
    after = commands.json("lock", "show", TRACKER)
    left = {one["role"]: one["rights"] for one in after["owed_rights"]}
    assert len(left) == len(rights) - 1
    assert left.items() < rights.items()
    told = commands.run("lock", "show", TRACKER).out
    for role, owed in left.items():
        assert f"Role {role} is owed: {', '.join(owed)}." in told
    server.clear_faults()
    commands.json("lock", "release", "--owner", "first")
    assert commands.json("lock", "show", TRACKER)["owed_rights"] == []


def test_an_owner_who_did_not_release_is_told_as_a_sentence(
    server: Emulator, commands: Any
) -> None:
    commands.env["CODEBEAMER_LOCK_TIMING"] = "lock_delay=100ms"
    commands.json("lock", "acquire", TRACKER, "--owner", "first")
    assert "did not release" not in commands.run("lock", "show", TRACKER).out
    server.add_fault({"kind": "status", "status": 403, "method": "PUT"})
    broken = commands.run("lock", "break", TRACKER, "--reason", "x", "--by", "boss")
    assert broken.code == 1
    told = commands.run("lock", "show", TRACKER)
    assert told.code == 0, told.err
    assert "restoring" in told.out
    last = told.out.splitlines()[-1]
    heir = f"boss ({who()})"
    assert last == f"Its owner did not release it; {heir} is to put the rights back."
    assert "owner_died" not in told.out
    assert commands.json("lock", "show", TRACKER)["owner_died"] is True
    server.clear_faults()
    commands.json("lock", "release", "--owner", "first")
    assert "did not release" not in commands.run("lock", "show", TRACKER).out


@pytest.mark.trap("T15")
def test_breaking_expects_the_epoch_that_was_seen(commands: Any, writes: Any) -> None:
    commands.json("lock", "acquire", TRACKER, "--owner", "first")
    before = writes()
    ran = commands.run(
        "lock", "break", TRACKER, "--reason", "x", "--expect-epoch", "77"
    )
    assert ran.code == 1
    assert len(ran.err.splitlines()) == 1
    assert writes() == before


def test_looking_needs_no_server(commands: Any) -> None:
    commands.json("lock", "acquire", TRACKER, "--owner", "me")
    away = {"CODEBEAMER_URL": "", "CODEBEAMER_USER": "", "CODEBEAMER_PASSWORD": ""}
    assert len(commands.json("lock", "list", **away)["locks"]) == 1
    assert commands.json("lock", "show", TRACKER, **away)["owner"]["key"] == "me"
    assert commands.json("lock", "history", TRACKER, **away)["events"]


def test_permissions_that_look_like_a_lock_are_accepted(
    server: Emulator, commands: Any, writes: Any
) -> None:
    assert commands.json("lock", "accept", TRACKER, "--reason", "x") == {
        "tracker_id": DEMO_TRACKER_ID,
        "accepted": True,
    }
    assert (
        "count as meant" in commands.run("lock", "accept", TRACKER, "--reason", "x").out
    )
    commands.json("lock", "acquire", TRACKER, "--owner", "me")
    held = commands.run("lock", "accept", TRACKER, "--reason", "x")
    assert held.code == 3
    assert "is locked by me" in held.err
    reduced = server.world()["trackers"]
    commands.json("lock", "release", "--owner", "me")

    # Afterwards an administrator wants them exactly as the lock had made them.
    server.load_world({**server.world(), "trackers": reduced})
    before = writes()
    refused = commands.run("lock", "acquire", TRACKER, "--owner", "me")
    assert refused.code == 1
    assert "no more rights than our last lock left" in refused.err
    accepted = commands.run(
        "lock", "accept", TRACKER, "--reason", "a freeze", "--by", "admin"
    )
    assert accepted.code == 0, accepted.err
    assert "count as meant" in accepted.out
    assert writes() == before
    history = commands.run("lock", "history", TRACKER).out
    assert "admin" in history
    assert "a freeze" in history
    assert commands.run("lock", "acquire", TRACKER, "--owner", "me").code == 0


def _create(server: Emulator, user: str) -> None:
    path = f"/v3/trackers/{DEMO_TRACKER_ID}/items"
    assert server.act(user, "POST", path, {"name": "By an administrator"}) == 200


def test_the_certificate_of_a_lock_is_shown(server: Emulator, commands: Any) -> None:
    url = ("--url", server.url)
    options = ("--owner", "me", "--certificate", "warn")
    commands.json("lock", "acquire", TRACKER, *options)
    ran = commands.run("lock", "release", "--owner", "me")
    assert ran.code == 0, ran.err
    assert "nobody else changed anything while it was locked" in ran.out
    assert commands.run("lock", "certificate", TRACKER, *url).code == 0

    commands.json("lock", "acquire", TRACKER, *options)
    _create(server, "bond")
    ran = commands.run("lock", "release", "--owner", "me")
    assert "created by bond" in ran.out
    ran = commands.run("lock", "certificate", TRACKER, *url)
    assert ran.code == 4
    clean, foreign, *details = ran.out.splitlines()
    assert "nobody else" in clean
    assert "1 change(s) by others" in foreign
    assert len(details) == 1


def test_fail_releases_first_and_fails_then(server: Emulator, commands: Any) -> None:
    before = server.permissions(DEMO_TRACKER_ID)
    taken = ("lock", "acquire", TRACKER, "--owner", "me", "--certificate", "fail")
    commands.json(*taken)
    _create(server, "bond")
    ran = commands.run("lock", "release", "--owner", "me")
    assert ran.code == 1
    assert "is free again, but" in ran.err
    assert server.permissions(DEMO_TRACKER_ID) == before
    assert commands.json("lock", "list") == {"locks": []}


def test_a_certificate_policy_that_is_none(commands: Any) -> None:
    ran = commands.run("lock", "list", "--certificate", "maybe")
    assert ran.code == 0
    ran = commands.run("lock", "release", "--owner", "me", "--certificate", "maybe")
    assert ran.code == 64
    assert "off, warn or fail" in ran.err


def test_a_freeze_and_an_item_lock_by_command(server: Emulator, commands: Any) -> None:
    before = server.permissions(DEMO_TRACKER_ID)
    freeze = ("lock", "acquire", TRACKER, "--mode", "freeze")
    commands.json(*freeze, "--owner", "a")
    commands.json(*freeze, "--owner", "b")
    listed = commands.json("lock", "list")["locks"]
    assert [(one["owner"]["key"], one["mode"]) for one in listed] == [
        ("a", "freeze"),
        ("b", "freeze"),
    ]
    shared = [
        one.split()[0] for one in commands.json("lock", "show", TRACKER)["shared_by"]
    ]
    assert shared == ["a", "b"]
    told = commands.run("lock", "release", "--owner", "a")
    assert told.code == 0
    assert "others keep it frozen" in told.out
    assert "shared_by       b until" in commands.run("lock", "show", TRACKER).out
    assert commands.run("lock", "release", "--owner", "b").code == 0
    assert server.permissions(DEMO_TRACKER_ID) == before
    path = f"/v3/trackers/{DEMO_TRACKER_ID}/items"
    assert server.act("bond", "POST", path, {"name": "An item"}) == 200
    item = server.items(DEMO_TRACKER_ID)[0]["id"]
    strategy = ("lock", "acquire", TRACKER, "--owner", "c", "--strategy", "item_locks")
    wrong = commands.run(*strategy, "--strategy-options", "[1]")
    assert wrong.code == 64
    options = json.dumps({"items": [item]})
    (lock,) = commands.json(*strategy, "--strategy-options", options)["locks"]
    assert lock["strategy"] == "item_locks"
    told = commands.run("lock", "release", "--owner", "c")
    assert f"put back: item {item}" in told.out
