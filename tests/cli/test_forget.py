"""`lock forget` demands the tracker's address twice, and what it forgets comes back."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_codebeamer.cli.session import who
from airflow_codebeamer.emulator import DEMO_TRACKER_ID, Emulator

TRACKER = str(DEMO_TRACKER_ID)


@pytest.fixture
def name(server: Emulator, commands: Any) -> str:
    """Return the address of a tracker that was deleted under a lock."""
    commands.env["CODEBEAMER_LOCK_TIMING"] = "ttl=1500ms,beat=300ms,margin=300ms"
    commands.env["CODEBEAMER_LOCK_TIMING"] += ",lock_delay=0,settle=0"
    commands.json("lock", "acquire", TRACKER, "--owner", "me")
    return f"{server.url}/tracker/{TRACKER}"


def test_a_tracker_is_forgotten_and_remembered(
    server: Emulator, commands: Any, name: str
) -> None:
    world = server.world()
    others = [one for one in world["trackers"] if one["id"] != DEMO_TRACKER_ID]
    items = [one for one in world["items"] if one["tracker"] != DEMO_TRACKER_ID]
    server.load_world({**world, "trackers": others, "items": items})
    stuck = commands.run("lock", "release", "--owner", "me")
    assert stuck.code == 1
    assert f"lock forget {TRACKER}" in stuck.err
    epoch = str(commands.json("lock", "show", TRACKER)["epoch"])
    forget = ("lock", "forget", TRACKER, "--reason", "closed", "--expect-epoch", epoch)
    for first, second in ((name, TRACKER), (TRACKER, name)):
        ran = commands.run(*forget, "--resource", first, "--resource-again", second)
        assert ran.code == 64
        assert name in ran.err
    assert commands.run(*forget, "--resource", name).code == 64
    done = commands.json(*forget, "--resource", name, "--resource-again", name)
    assert done == {"tracker_id": DEMO_TRACKER_ID, "forgotten": True, "epoch": 2}
    shown = commands.json("lock", "show", TRACKER)
    assert shown["state"] == "free"
    assert shown["decisions"][-1]["who"] == who()
    server.load_world(world)
    ran = commands.run("lock", "remember", TRACKER, "--reason", "it was in the trash")
    assert ran.code == 0, ran.err
    assert "put back: " in ran.out
    assert commands.run("lock", "acquire", TRACKER, "--owner", "me").code == 0


def test_a_tracker_that_is_there_is_not_forgotten(
    server: Emulator, commands: Any, name: str
) -> None:
    number = server.add_fault({"kind": "status", "status": 403, "method": "PUT"})
    assert commands.run("lock", "release", "--owner", "me").code == 1
    server.remove_fault(number)
    ran = commands.run(
        *("lock", "forget", TRACKER, "--reason", "x", "--expect-epoch", "1"),
        *("--resource", name, "--resource-again", name),
    )
    assert ran.code == 1
    assert "the server has it" in ran.err
    assert commands.json("lock", "show", TRACKER)["state"] == "restoring"
