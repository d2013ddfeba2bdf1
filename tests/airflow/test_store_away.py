"""A lock store that is away, locked or wrong: a clear word, and nothing touched."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_codebeamer.emulator import DEMO_TRACKER_ID
from airflow_codebeamer.errors import DatabaseError, Retry
from airflow_codebeamer.hooks import CodebeamerHook
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.operators import (
    LockTrackerOperator,
    RecoverLocksOperator,
    ReserveTrackerOperator,
    RunGeneratorOperator,
    UnlockTrackerOperator,
    VerifyUnlockedOperator,
)
from airflow_codebeamer.sensors import TrackerLockSensor

TRACKER = TrackerId(DEMO_TRACKER_ID)
CONTEXT: Any = {"ti": SimpleNamespace(dag_id="fill", run_id="manual/1", map_index=-1)}
AWAY = "postgresql://nobody@127.0.0.1:1/locks?connect_timeout=1"
WRONG = "mongodb://locks.example.com/locks"


def items() -> Iterator[dict[str, Any]]:
    yield {"key": "a", "name": "A"}


def handle() -> dict[str, Any]:
    return {
        "owner": "fill/manual/1",
        "locks": [{"lock": None, "tracker_id": TRACKER, "state": "waiting"}],
    }


#: Enough to try again once; what tasks do without it takes them minutes.
SHORT = timedelta(seconds=1)

TASKS: dict[str, Any] = {
    "reserve": lambda: ReserveTrackerOperator(task_id="t", tracker_id=TRACKER),
    "lock": lambda: LockTrackerOperator(task_id="t", tracker_id=TRACKER),
    "generate": lambda: RunGeneratorOperator(
        task_id="t", generator=items, lock=handle()
    ),
    "unlock": lambda: UnlockTrackerOperator(task_id="t", patience=SHORT),
    "verify": lambda: VerifyUnlockedOperator(task_id="t"),
    "recover": lambda: RecoverLocksOperator(task_id="t", patience=SHORT),
    "wait": lambda: TrackerLockSensor(task_id="t", tracker_id=TRACKER),
}


@pytest.mark.parametrize("name", TASKS)
def test_store_that_is_away_is_worth_a_retry(
    here: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before = here.server.permissions(TRACKER)
    monkeypatch.setenv("AIRFLOW__CODEBEAMER__LOCK_STORE", AWAY)
    with pytest.raises(DatabaseError) as caught:
        TASKS[name]().execute(CONTEXT)
    assert caught.value.retry is not Retry.NEVER
    assert "127.0.0.1" in str(caught.value)
    assert "Traceback" not in str(caught.value)
    assert "PUT" not in {call["method"] for call in here.server.calls()}
    assert here.server.permissions(TRACKER) == before


@pytest.mark.parametrize("name", TASKS)
def test_store_that_cannot_be_is_not(
    here: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("AIRFLOW__CODEBEAMER__LOCK_STORE", WRONG)
    with pytest.raises(AirflowFailException, match="lock store"):
        TASKS[name]().execute(CONTEXT)
    assert "PUT" not in {call["method"] for call in here.server.calls()}


def test_store_that_another_program_has_locked(here: Any) -> None:
    """The restore is owed and stays so; the next try gives everything back."""
    before = here.server.permissions(TRACKER)
    TASKS["lock"]().execute(CONTEXT)
    reduced = here.server.permissions(TRACKER)
    blocking = sqlite3.connect(here.store_path, isolation_level=None)
    blocking.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(DatabaseError) as caught:
            TASKS["unlock"]().execute(CONTEXT)
    finally:
        blocking.execute("ROLLBACK")
        blocking.close()
    assert caught.value.retry is not Retry.NEVER
    assert here.server.permissions(TRACKER) == reduced != before
    TASKS["unlock"]().execute(CONTEXT)
    assert here.server.permissions(TRACKER) == before


def test_hook_says_in_one_sentence_what_is_wrong(
    here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CODEBEAMER__LOCK_STORE", AWAY)
    is_well, message = CodebeamerHook().test_connection()
    assert not is_well
    assert "127.0.0.1" in message
