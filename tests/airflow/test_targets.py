"""A generator for two trackers as one task, under a handle of two locks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_codebeamer.emulator import ALL_PERMISSIONS, WorldBuilder
from airflow_codebeamer.operators import (
    LockTrackerOperator,
    RunGeneratorOperator,
    UnlockTrackerOperator,
)

CONTEXT: Any = {"ti": SimpleNamespace(dag_id="fill", run_id="manual/1", map_index=-1)}


def test_two_trackers_are_one_task(here: Any) -> None:
    tests, needs = filled(here)

    def both() -> list[dict[str, Any]]:
        subject = {"Subject": {"tracker": needs, "key": "n"}}
        return [
            skeleton(tests, {"key": "t", "name": "T", "fields": subject}),
            skeleton(needs, {"key": "n", "name": "N"}),
        ]

    work: dict[str, Any] = {"task_id": "generate", "generator": both}
    plan = RunGeneratorOperator(tracker_id=[tests, needs], mode="plan", **work)
    assert plan.execute(CONTEXT)["created"] == 2
    assert here.owners() == {}

    with pytest.raises(AirflowFailException, match="lock all of their trackers"):
        RunGeneratorOperator(lock=locked(tests), **work).execute(CONTEXT)
    UnlockTrackerOperator(task_id="unlock").execute(CONTEXT)
    handle = locked(tests, needs)
    done = RunGeneratorOperator(lock=handle, **work).execute(CONTEXT)
    assert done["created"] == 2
    (test,) = here.server.items(tests)
    assert [one["name"] for one in test["subjects"]] == ["N"]
    released = UnlockTrackerOperator(task_id="unlock", lock=handle).execute(CONTEXT)
    assert [one["released"] for one in released["released"]] == [True, True]
    assert here.owners() == {}


def test_a_task_that_fails_leaves_neither(here: Any) -> None:
    tests, needs = filled(here)
    documents = [
        skeleton(needs, {"key": "n", "name": "N"}),
        skeleton(tests, {"key": "t", "name": "T"}),
    ]
    fault = {"operation": "createTrackerItem", "nth": 2, "kind": "status"}
    here.server.add_fault({**fault, "status": 400})
    work = RunGeneratorOperator(
        task_id="generate", generator=lambda: documents, lock=locked(tests, needs)
    )
    with pytest.raises(AirflowFailException):
        work.execute(CONTEXT)
    assert here.server.items(tests) + here.server.items(needs) == []
    UnlockTrackerOperator(task_id="unlock").execute(CONTEXT)
    assert here.owners() == {}


def skeleton(tracker: int, *items: dict[str, Any]) -> dict[str, Any]:
    return {"owner": "o", "target": {"tracker": tracker}, "items": list(items)}


def locked(*trackers: int) -> dict[str, Any]:
    """Lock trackers as one; return the handle."""
    lock = LockTrackerOperator(task_id="lock", tracker_id=list(trackers))
    handle: dict[str, Any] = lock.execute(CONTEXT)
    return handle


def filled(here: Any) -> tuple[int, int]:
    """Load a world with two empty trackers."""
    builder = WorldBuilder()
    account = builder.user("generator", password=here.secret)
    project = builder.project("Brake System", "BRK")
    role = builder.role(project, "Generator", trackers_admin=True)
    builder.member(project, account, role)
    rights = {role: ALL_PERMISSIONS}
    tests = builder.tracker(project, "Tests", "TST", permissions=rights)
    needs = builder.tracker(project, "Requirements", "REQ", permissions=rights)
    here.server.load_world(builder.build())
    return int(tests), int(needs)
