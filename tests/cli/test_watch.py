"""The watch under a command that holds a lock, and where its finding is shown."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer.emulator import DEMO_TRACKER_ID, Emulator

TRACKER = str(DEMO_TRACKER_ID)
#: What the role Tester keeps under a lock.
READING = (0, 2, 8, 10, 15, 17, 21, 25)


def _until(is_so: Callable[[], Any]) -> None:
    end = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < end, "it does not come to pass"
        threading.Event().wait(0.05)


@pytest.mark.nightly
def test_a_right_given_back_under_a_command_is_taken_again_and_shown(
    server: Emulator, commands: Any, small: Path
) -> None:
    roles = {role["name"]: role["id"] for role in server.world()["roles"]}
    path = f"/v3/trackers/{TRACKER}/roles/{roles['Tester']}/permissions"
    create = "createTrackerItem"
    # The command works until we have seen enough; it cannot end before.
    server.add_fault({"operation": create, "kind": "delay", "seconds": 8, "times": 1})
    process = commands.start("apply", str(small), CODEBEAMER_LOCK_TIMING="watch=100ms")
    _until(lambda: any(call["operation"] == create for call in server.calls()))
    reduced = server.permissions(DEMO_TRACKER_ID)
    body = {"permissions": [{"id": number} for number in (*READING, 1)]}
    assert server.act("bond", "PUT", path, body) == 200

    def drift() -> str:
        found: list[str] = commands.json("lock", "show", TRACKER)["drift"]
        return found[0] if found else ""

    _until(lambda: ", taken away again" in drift())
    assert server.permissions(DEMO_TRACKER_ID) == reduced
    shown = commands.run("lock", "show", TRACKER).out
    (line,) = [one for one in shown.splitlines() if one.startswith("drift")]
    assert "role Tester: somebody added issue_edit_not_own while" in line
    process.terminate()
    out, err = process.communicate(timeout=60)
    assert "its audit trail does" in err
    assert "taken away again from Tester" in err
    assert "role Tester" in out + err
