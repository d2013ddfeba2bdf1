"""TrackerLockSensor: wait until a tracker is free, or held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowSensorTimeout,
    TaskDeferred,
)
from airflow.sdk import BaseSensorOperator

from airflow_codebeamer.errors import ConfigurationError, LockError
from airflow_codebeamer.hooks import CodebeamerHook
from airflow_codebeamer.hooks.verdict import airflow_verdict
from airflow_codebeamer.ids import TrackerId

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_codebeamer.locking import Lock
    from airflow_codebeamer.triggers.lock import WantedState

__all__ = ["TrackerLockSensor"]


class TrackerLockSensor(BaseSensorOperator):
    """Wait for the state of a tracker's lock; take nothing.

    Between this sensor and a lock task somebody else may come: to have the
    tracker, give `LockTrackerOperator` a `wait_for` instead.

    :param tracker_id: the tracker's number.
    :param state: `free`, all permissions are back, or `held`, a lock is in force.
    :param codebeamer_conn_id: the Airflow connection, of the type `codebeamer`.
    :param deferrable: wait in the triggerer, without a worker. How long and how
        often is `timeout` and `poke_interval`, as of any sensor.
    :return: nothing.
    """

    template_fields: Sequence[str] = ("tracker_id", "codebeamer_conn_id")
    ui_color = "#dbeafe"

    def __init__(
        self,
        *,
        tracker_id: int | str,
        state: WantedState = "free",
        codebeamer_conn_id: str = CodebeamerHook.default_conn_name,
        deferrable: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if state not in ("free", "held"):
            raise ConfigurationError("state", f"say free or held, not {state!r}")
        self.tracker_id = tracker_id
        self.state = state
        self.codebeamer_conn_id = codebeamer_conn_id
        self.deferrable = deferrable

    def execute(self, context: Context) -> Any:
        """Look once; then wait where `deferrable` and `mode` say."""
        from airflow_codebeamer.triggers.lock import TrackerLockTrigger, deadline_in

        if not self.deferrable:
            return super().execute(context)
        if self.poke(context):
            return None
        span = timedelta(seconds=self.timeout)
        raise TaskDeferred(
            trigger=TrackerLockTrigger(
                tracker_id=self._tracker_id(),
                state=self.state,
                codebeamer_conn_id=self.codebeamer_conn_id,
                deadline=deadline_in(span),
                poll_seconds=self.poke_interval,
            ),
            method_name="execute_complete",
            timeout=span + timedelta(seconds=2 * self.poke_interval),
        )

    def poke(self, context: Context) -> bool:
        """Look at the store once."""
        from airflow_codebeamer.triggers.lock import is_reached

        with (
            airflow_verdict(),
            CodebeamerHook(self.codebeamer_conn_id).codebeamer() as codebeamer,
        ):
            server = codebeamer.settings.server.base
            lock = codebeamer.status.find(server, self._tracker_id())
        self.log.info("%s", _line(self.tracker_id, lock))
        return is_reached(lock, self.state)

    def execute_complete(
        self, context: Context, event: Mapping[str, Any] | None = None
    ) -> None:
        """Judge what the triggerer saw."""
        from airflow_codebeamer.triggers import lock_event

        with airflow_verdict():
            seen = lock_event(event)
            if seen.status == "error" and not seen.retry:
                raise LockError(seen.message)
        if seen.status == "error":
            raise AirflowException(seen.message)
        if seen.status == "timeout":
            raise AirflowSensorTimeout(seen.message)
        self.log.info("Tracker %s is %s.", self.tracker_id, self.state)

    def _tracker_id(self) -> TrackerId:
        try:
            return TrackerId(int(self.tracker_id))
        except (TypeError, ValueError):
            raise ConfigurationError(
                "tracker_id", f"say the tracker's number, not {self.tracker_id!r}"
            ) from None


def _line(tracker_id: object, lock: Lock | None) -> str:
    from airflow_codebeamer.triggers.lock import is_reached

    if lock is None or is_reached(lock, "free"):
        return f"Tracker {tracker_id} is free."
    return f"Tracker {tracker_id} is {lock.state.value}, held by {lock.owner.key}."
