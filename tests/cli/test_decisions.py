"""What a person decides about a lock, on the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from airflow_codebeamer.emulator import DEMO_TRACKER_ID, Emulator

TRACKER = str(DEMO_TRACKER_ID)


def _edit(server: Emulator, role: str, rights: list[int]) -> None:
    """Change a role's permissions as an administrator would."""
    roles = {one["name"]: one["id"] for one in server.world()["roles"]}
    path = f"/v3/trackers/{TRACKER}/roles/{roles[role]}/permissions"
    body = {"permissions": [{"id": number} for number in rights]}
    assert server.act("bond", "PUT", path, body) == 200


def _rights(server: Emulator, role: str) -> set[int]:
    roles = {one["name"]: str(one["id"]) for one in server.world()["roles"]}
    (tracker,) = [
        one for one in server.world()["trackers"] if one["id"] == DEMO_TRACKER_ID
    ]
    return set(tracker["permissions"].get(roles[role], ()))


def test_a_role_waits_for_an_answer_and_gets_it(
    server: Emulator, commands: Any
) -> None:
    before = server.permissions(DEMO_TRACKER_ID)
    commands.json(
        "lock", "acquire", TRACKER, "--owner", "me", "--restore-policy", "ask"
    )
    assert commands.json("lock", "show", TRACKER)["restore_policy"] == "ask"
    _edit(server, "Tester", [2])
    ran = commands.run("lock", "release", "--owner", "me")
    assert ran.code == 1
    (line,) = ran.err.splitlines()
    assert "role Tester waits for an answer (somebody removed" in line
    shown = commands.run("lock", "show", TRACKER)
    assert "restoring" in shown.out
    assert "Role Tester waits for an answer" in shown.out
    ran = commands.run("recover", "--json")
    assert ran.code == 5
    assert "role Tester waits for an answer" in ran.document["recovered"][0]["error"]
    done = commands.run(
        *("lock", "answer", TRACKER, "--role", "Tester", "--take", "exact"),
        *("--reason", "he meant another tracker", "--by", "carol"),
    )
    assert done.code == 0, done.err
    assert f"Tracker {TRACKER} is free; put back: Tester." in done.out
    assert server.permissions(DEMO_TRACKER_ID) == before
    history = commands.run("lock", "history", TRACKER).out
    assert "answered" in history
    assert "he meant another tracker" in history


def test_a_role_is_amended_while_the_lock_is_held(
    server: Emulator, commands: Any
) -> None:
    before = _rights(server, "Tester")
    commands.json("lock", "acquire", TRACKER, "--owner", "me")
    amend = ("lock", "amend", TRACKER, "--reason", "left the team", "--role")
    wrong = commands.run(*amend, "Tester", "--remove", "issue_fly")
    assert wrong.code == 64
    assert "there is no permission 'issue_fly'" in wrong.err
    done = commands.run(*amend, "Tester", "--remove", "issue_comment_add")
    assert done.code == 0, done.err
    commands.json("lock", "release", "--owner", "me")
    assert _rights(server, "Tester") == before - {11}


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("on_drift=stop", "say one of relock, warn, fail"),
        ("colour=red", "write name=word for"),
    ],
)
def test_a_policy_that_does_not_exist_is_a_usage_error(
    commands: Any, policy: str, words: str
) -> None:
    ran = commands.run("lock", "acquire", TRACKER, "--owner", "me", "--policy", policy)
    assert ran.code == 64
    assert words in ran.err
    ran = commands.run(
        "lock", "acquire", TRACKER, "--owner", "me", "--restore-policy", "none"
    )
    assert ran.code == 64
    assert "say merge, exact, keep or ask" in ran.err


def test_a_policy_goes_for_the_locks_of_a_command(
    server: Emulator, commands: Any
) -> None:
    before = server.permissions(DEMO_TRACKER_ID)
    commands.env["CODEBEAMER_LOCK_POLICY"] = "restore_policy=exact"
    commands.json("lock", "acquire", TRACKER, "--owner", "me")
    _edit(server, "Tester", [2])
    commands.env.clear()
    assert commands.run("lock", "release", "--owner", "me").code == 4
    assert server.permissions(DEMO_TRACKER_ID) == before


def test_a_break_says_which_epoch_it_breaks(server: Emulator, commands: Any) -> None:
    commands.env["CODEBEAMER_LOCK_TIMING"] = "lock_delay=100ms"
    taken = commands.json("lock", "acquire", TRACKER, "--owner", "first")
    epoch = taken["locks"][0]["epoch"]
    ran = commands.run("lock", "break", TRACKER, "--reason", "stuck", "--now")
    assert ran.code == 0, ran.err
    assert f"(epoch {epoch})" in ran.err
    assert "The holder gets no time to restore by itself." in ran.err


@pytest.mark.trap("T15")
def test_a_person_at_a_terminal_is_shown_the_lock_first(
    server: Emulator, commands: Any, writes: Any
) -> None:
    taken = commands.json("lock", "acquire", TRACKER, "--owner", "first")
    epoch = taken["locks"][0]["epoch"]
    before = writes()
    parent, child = os.openpty()
    command = ("lock", "break", TRACKER, "--reason", "stuck")
    process = subprocess.Popen(
        [sys.executable, "-m", "airflow_codebeamer.cli", *command],
        stdin=child,
        stdout=child,
        stderr=subprocess.PIPE,
        text=True,
        env=commands.environment(),
    )
    _, told = process.communicate(timeout=60)
    os.close(child)
    os.close(parent)
    assert process.returncode == 64
    assert f"Tracker {TRACKER} is held by first" in told
    assert f"--expect-epoch {epoch}" in told
    assert writes() == before


def test_a_death_is_told_until_somebody_says_that_all_is_well(
    server: Emulator, commands: Any
) -> None:
    commands.env["CODEBEAMER_LOCK_TIMING"] = "lock_delay=100ms"
    commands.json("lock", "acquire", TRACKER, "--owner", "first")
    commands.json("lock", "break", TRACKER, "--reason", "it died")
    assert commands.json("lock", "show", TRACKER)["owner_died"] is True
    told = commands.run("lock", "show", TRACKER).out.splitlines()[-1]
    assert told.startswith("first died while it had the tracker")
    assert f"lock consistent {TRACKER} --reason TEXT" in told
    ran = commands.run("lock", "acquire", TRACKER, "--owner", "second", "--json")
    assert "first (taken over at 20" in ran.err
    # The death is not that of the new lock, whose owner lives.
    recovered = commands.json("recover")["held"]
    for lock in (
        *ran.document["locks"],
        *commands.json("lock", "list")["locks"],
        *recovered,
        commands.json("lock", "show", TRACKER),
    ):
        assert lock["owner_died"] is False
        assert lock["died_before"]["owner"] == "first"
    commands.json("lock", "release", "--owner", "second")
    shown = commands.json("lock", "show", TRACKER)
    assert (shown["owner_died"], shown["died_before"]["epoch"]) == (False, 2)
    done = commands.json("lock", "consistent", TRACKER, "--reason", "compared")
    assert done["consistent"] is True
    shown = commands.json("lock", "show", TRACKER)
    assert (shown["owner_died"], shown["died_before"]) == (False, None)
    again = commands.run("lock", "consistent", TRACKER, "--reason", "compared")
    assert "nobody died there" in again.out


def test_why_answers_in_words_and_as_a_document(commands: Any) -> None:
    assert commands.run("lock", "why", TRACKER, "Tester").code == 64
    commands.json("lock", "acquire", TRACKER, "--owner", "me", "--reason", "model")
    away = {"CODEBEAMER_USER": "", "CODEBEAMER_PASSWORD": ""}
    told = commands.run("lock", "why", TRACKER, "Tester", **away)
    assert told.code == 0, told.err
    assert "me (epoch 1, for: model) took from role Tester: issue_" in told.out
    assert "not back yet" in told.out
    commands.json("lock", "release", "--owner", "me")
    ask = ("lock", "why", TRACKER, "Tester", "--permission", "issue_comment_add")
    (one,) = commands.json(*ask)["takings"]
    assert one["taken"] == ["issue_comment_add"]
    assert one["taken_at"] < one["back_at"]
    wrong = commands.run("lock", "why", TRACKER, "Nobody")
    assert wrong.code == 64
    assert "locks have seen" in wrong.err
