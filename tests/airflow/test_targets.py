"""A generator for two trackers as one task, under a handle of two locks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_codebeamer.emulator import ALL_PERMISSIONS, WorldBuilder
from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.operators import (
    LockTrackerOperator,
    RunGeneratorOperator,
    UnlockTrackerOperator,
)
from airflow_codebeamer.operators.codebeamer import list_trackers

CONTEXT: Any = {"ti": SimpleNamespace(dag_id="fill", run_id="manual/1", map_index=-1)}


@pytest.mark.parametrize("value", [[8, 7], "[7, 8]", ("8", "7"), ["7", 8, 8]])
def test_several_trackers_in_every_form(value: Any) -> None:
    assert list_trackers(value) == [7, 8]
    assert list_trackers(value[:0]) == []


@pytest.mark.parametrize("value", [0, [7, "REQ"], True, "SYSREQ"])
def test_what_are_no_trackers(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="tracker's number"):
        list_trackers(value)


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
    """Lock trackers one by one; return the handle of all of them."""
    handles = [
        LockTrackerOperator(task_id="lock", tracker_id=tracker).execute(CONTEXT)
        for tracker in trackers
    ]
    return {**handles[0], "locks": [one for h in handles for one in h["locks"]]}


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
