"""The four tasks around the work, and what they are told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow_codebeamer.notifications import ReleaseLocksNotifier
from airflow_codebeamer.operators import (
    UNLOCK_RETRIES,
    LockTrackerOperator,
    ReserveTrackerOperator,
    UnlockTrackerOperator,
    VerifyUnlockedOperator,
)

__all__ = ["Wanted", "frame"]

_VERIFY_RETRIES = 2


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a lock; values or templates, as the lock task takes them."""

    tracker_id: Any
    exclusive_role: str | None
    reason: str
    lease: timedelta
    wait_for: timedelta | str | None
    priority: int | str
    skip_if_locked: bool | str
    deferrable: bool | None


def frame(
    notifier: ReleaseLocksNotifier, wanted: Wanted, *, is_alone: bool = True
) -> tuple[
    ReserveTrackerOperator,
    LockTrackerOperator,
    UnlockTrackerOperator,
    VerifyUnlockedOperator,
]:
    """Return the four tasks around the work; both teardowns belong to `reserve`.

    `reserve` is the setup because it has no side effect: a lock task that dies
    half-way is owed a release as well. Only `verify` may fail the run, else a
    failed generator would be hidden behind a teardown that went well. A frame
    that `is_alone` in its DAG gives back whatever the run holds, else its own.
    """
    both: dict[str, Any] = {
        "tracker_id": wanted.tracker_id,
        "reason": wanted.reason,
        "lease": wanted.lease,
        "priority": wanted.priority,
    }
    # What nobody said is left to the DAG's default_args, and then to Airflow.
    how: dict[str, Any] = (
        {} if wanted.deferrable is None else {"deferrable": wanted.deferrable}
    )
    reserve = ReserveTrackerOperator(task_id="reserve", **both)
    lock = LockTrackerOperator(
        task_id="lock",
        exclusive_role=wanted.exclusive_role,
        wait_for=wanted.wait_for,
        skip_if_locked=wanted.skip_if_locked,
        on_failure_callback=notifier,
        **both,
        **how,
    )
    mine: Any = None if is_alone else reserve.output
    unlock = UnlockTrackerOperator(
        task_id="unlock",
        lock=mine,
        retries=UNLOCK_RETRIES,
        on_failure_callback=notifier,
    )
    verify = VerifyUnlockedOperator(
        task_id="verify", lock=mine, retries=_VERIFY_RETRIES
    )
    unlock.as_teardown(setups=reserve)
    verify.as_teardown(setups=reserve, on_failure_fail_dagrun=True)
    return reserve, lock, unlock, verify
