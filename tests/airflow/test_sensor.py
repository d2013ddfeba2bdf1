"""The sensor in its three ways of waiting, and its verdict on an event."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    TaskDeferred,
)

try:
    from airflow.sdk.exceptions import AirflowRescheduleException
except ImportError:  # Airflow 3.1
    from airflow.exceptions import AirflowRescheduleException

from airflow_codebeamer.emulator import DEMO_TRACKER_ID
from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Owner
from airflow_codebeamer.sensors import TrackerLockSensor
from airflow_codebeamer.triggers import LockEvent
from airflow_codebeamer.wiring import Codebeamer

TRACKER = TrackerId(DEMO_TRACKER_ID)


def sensor(**arguments: Any) -> TrackerLockSensor:
    given = {"poke_interval": 0.05, "timeout": 0.2, **arguments}
    return TrackerLockSensor(task_id="sense", tracker_id=str(TRACKER), **given)


@pytest.fixture
def held(here: Any, elsewhere: Codebeamer) -> Codebeamer:
    elsewhere.engine.acquire(TRACKER, owner=Owner.here("alice/import"))
    return elsewhere


def test_pokes(held: Codebeamer) -> None:
    assert not sensor().poke({})
    assert sensor(state="held").poke({})
    held.engine.release(TRACKER, owner_key="alice/import")
    assert sensor().poke({})
    assert not sensor(state="held").poke({})


def test_poke_mode_times_out(held: Codebeamer) -> None:
    with pytest.raises(AirflowSensorTimeout):
        sensor(deferrable=False).execute({})


def test_reschedule_mode_gives_the_worker_back(held: Codebeamer) -> None:
    class Ti:
        def get_first_reschedule_date(self, context: Any) -> None:
            return None

    waiting = sensor(deferrable=False, mode="reschedule", timeout=60)
    with pytest.raises(AirflowRescheduleException):
        waiting.execute({"ti": Ti()})


def test_defers_by_default_with_an_absolute_deadline(held: Codebeamer) -> None:
    with pytest.raises(TaskDeferred) as caught:
        sensor(timeout=60).execute({})
    assert caught.value.method_name == "execute_complete"
    kwargs = caught.value.trigger.serialize()[1]
    assert kwargs["tracker_id"] == TRACKER
    assert kwargs["state"] == "free"
    assert kwargs["deadline"].endswith("+00:00")


def test_reached_state_needs_no_triggerer(here: Any) -> None:
    assert sensor().execute({}) is None


def event(status: Any, **parts: Any) -> dict[str, Any]:
    return LockEvent(status=status, tracker_id=TRACKER, **parts).payload()


def test_verdict_on_events() -> None:
    sensor().execute_complete({}, event("reached"))
    with pytest.raises(AirflowSensorTimeout, match="late"):
        sensor().execute_complete({}, event("timeout", message="late"))
    with pytest.raises(AirflowFailException, match="wrong"):
        sensor().execute_complete({}, event("error", message="wrong"))
    with pytest.raises(AirflowException, match="down") as caught:
        sensor().execute_complete({}, event("error", message="down", retry=True))
    assert not isinstance(caught.value, AirflowFailException)
    with pytest.raises(AirflowFailException, match="same version"):
        sensor().execute_complete({}, {"status": "fine"})


def test_wrong_parameters(here: Any) -> None:
    with pytest.raises(ConfigurationError, match="free or held"):
        sensor(state="locked")
    wrong = TrackerLockSensor(task_id="sense", tracker_id="SYSREQ")
    with pytest.raises(AirflowFailException, match="tracker's number"):
        wrong.poke({})
