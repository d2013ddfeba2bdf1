"""Jobs that go on after the request that started them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_codebeamer.emulator import Emulator

Ask = Callable[..., requests.Response]
ITEM = 10001


def rename(name: str) -> dict[str, Any]:
    value = {"fieldId": 3, "type": "TextFieldValue", "value": name}
    path = f"/v3/items/{ITEM}/fields"
    return {"method": "PUT", "path": path, "body": {"fieldValues": [value]}}


def name_of(ask: Ask) -> str:
    return str(ask("bond", "GET", f"/items/{ITEM}").json()["name"])


def test_a_job_goes_on_and_writes_in_the_name_of_who_started_it(
    ask: Ask, server: Emulator
) -> None:
    before = name_of(ask)
    steps: Any = ({"seconds": 60}, {"seconds": 60, "request": rename("by a job")})
    job = server.start_job("alice", *steps)
    path = f"/job/{job}"
    shown = ask("alice", "GET", path).json()
    assert shown["backgroundJobStatus"] == "IN_PROGRESS"
    assert shown["submittedBy"]["name"] == "alice"
    assert [step["status"] for step in shown["steps"]] == ["IN_PROGRESS", "NEW"]
    server.advance(70)
    shown = ask("alice", "GET", path).json()
    assert [step["status"] for step in shown["steps"]] == ["FINISHED", "IN_PROGRESS"]
    assert "finishedAt" not in shown
    assert name_of(ask) == before
    server.advance(70)
    assert name_of(ask) == "by a job"
    shown = ask("alice", "GET", path).json()
    assert shown["backgroundJobStatus"] == "FINISHED"
    assert shown["finishedAt"] > shown["createdAt"]
    last = ask("bond", "GET", f"/items/{ITEM}").json()
    assert last["modifiedBy"]["name"] == "alice"
    assert last["modifiedAt"] == shown["finishedAt"]


def test_nobody_else_may_ask_for_it(ask: Ask, server: Emulator) -> None:
    job = server.start_job("alice", {"seconds": 1})
    assert ask("bob", "GET", f"/job/{job}").status_code == 403
    assert ask("bond", "GET", f"/job/{job}").status_code == 200
    assert ask("bond", "GET", "/job/9").status_code == 404


@pytest.mark.parametrize("as_system", [True, False])
def test_with_whose_rights_a_job_writes(
    ask: Ask, server: Emulator, as_system: bool
) -> None:
    server.assume(jobs_write_as_system=as_system)
    job = server.start_job("alice", {"seconds": 1, "request": rename("late")})
    world = server.world()
    for tracker in world["trackers"]:
        tracker["permissions"] = {}
    server.load_world(world)
    server.advance(2)
    assert (name_of(ask) == "late") is as_system
    [step] = ask("alice", "GET", f"/job/{job}").json()["steps"]
    assert step["result"] == ("SUCCESSFUL" if as_system else "FAILED")
    assert bool(step["resultMessage"]) is not as_system


def test_a_kept_world_goes_on_with_its_jobs(
    asking: Callable[[Emulator], Ask], tmp_path: Path
) -> None:
    file = tmp_path / "world.jsonl"
    with Emulator(data=file) as server:
        ask = asking(server)
        item = ask("bond", "GET", "/items/10001").json()
        body = rename("late") | {"path": f"/v3/items/{item['id']}/fields"}
        job = server.start_job(
            "bond", {"seconds": 60, "request": body}, {"seconds": 60}
        )
        server.advance(70)
        version = ask("bond", "GET", "/items/10001").json()["version"]
    with Emulator(data=file) as server:
        ask = asking(server)
        shown = ask("bond", "GET", f"/job/{job}").json()
        assert [step["status"] for step in shown["steps"]] == [
            "FINISHED",
            "IN_PROGRESS",
        ]
        assert ask("bond", "GET", "/items/10001").json()["version"] == version
