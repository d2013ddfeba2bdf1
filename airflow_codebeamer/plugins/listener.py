"""What Airflow tells us about tasks: numbers for its metrics, a warning, nothing else.

Called in the process of the task, and in the scheduler or the API server for tasks
that ended without one. It asks no server and no store, waits for nothing, and an
error in it is a log line.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import pluggy

from airflow_codebeamer.hooks.metrics import Facts, tell

__all__ = [
    "on_task_instance_failed",
    "on_task_instance_running",
    "on_task_instance_skipped",
    "on_task_instance_success",
]

P = ParamSpec("P")
hookimpl = pluggy.HookimplMarker("airflow")
log = logging.getLogger(__name__)

#: Our tasks, as their metrics call them.
KINDS = {
    "LockTrackerOperator": "lock",
    "RecoverLocksOperator": "recover",
    "ReserveTrackerOperator": "reserve",
    "RunGeneratorOperator": "generate",
    "SetFieldsOperator": "generate",
    "TrackerLockSensor": "wait",
    "UnlockTrackerOperator": "unlock",
    "VerifyUnlockedOperator": "verify",
}
#: Errors that have a number of their own.
_ERRORS = {
    "LockHeldError": "lock.refused",
    "LockLostError": "lock.lost",
    "RestorePendingError": "lock.pending",
}


def _quietly(work: Callable[P, None]) -> Callable[P, None]:
    @wraps(work)
    def safe(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            work(*args, **kwargs)
        except Exception as error:
            log.warning("The listener stumbled: %s: %s", type(error).__name__, error)

    return safe


@hookimpl
def on_task_instance_running(task_instance: Any) -> None:
    """Warn in the log of a lock task that nothing gives its lock back."""
    _warn(task_instance)


@hookimpl
def on_task_instance_success(task_instance: Any) -> None:
    """Count the task, and what it found out."""
    _count(task_instance, "success")


@hookimpl
def on_task_instance_failed(task_instance: Any, error: Any) -> None:
    """Count the task, and why it failed."""
    _count(task_instance, "failed", error)


@hookimpl
def on_task_instance_skipped(task_instance: Any) -> None:
    """Count the task."""
    _count(task_instance, "skipped")


@_quietly
def _warn(ti: Any) -> None:
    if kind_of(ti) != "lock" or not _is_in_task(ti):
        return
    from airflow_codebeamer.operators.owed import find_unreleased

    for finding in find_unreleased(ti.task.dag):
        if finding.task_id == ti.task_id:
            log.warning("%s", finding)


@_quietly
def _count(ti: Any, state: str, error: Any = None) -> None:
    kind = kind_of(ti)
    if kind is None:
        return
    tags = {"dag_id": str(ti.dag_id), "task_id": str(ti.task_id)}
    in_task = _is_in_task(ti)
    tell(Facts({f"task.{kind}.{state}": 1, **_error(error)}), tags, in_task=in_task)
    facts = getattr(getattr(ti, "task", None), "facts", None)
    if in_task and isinstance(facts, Facts):
        tell(facts, tags)


def kind_of(ti: Any) -> str | None:
    """Return which of our tasks this is, None for everybody else's."""
    for one in type(getattr(ti, "task", None)).__mro__:
        if one.__name__ in KINDS:
            return KINDS[one.__name__]
    # Outside the task's process Airflow knows only the name of the class.
    return KINDS.get(str(getattr(ti, "operator", "")))


def _is_in_task(ti: Any) -> bool:
    return type(ti).__module__.startswith("airflow.sdk.")


def _error(error: Any) -> dict[str, int]:
    for one in (error, getattr(error, "__cause__", None)):
        if name := _ERRORS.get(type(one).__name__):
            return {name: 1}
    return {}
