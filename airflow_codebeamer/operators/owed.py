"""Which locks of a DAG no teardown gives back: read from its wiring, nothing is run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from airflow.sdk import XComArg

from airflow_codebeamer.operators.codebeamer import is_a
from airflow_codebeamer.operators.lock import LockTrackerOperator
from airflow_codebeamer.operators.reserve import ReserveTrackerOperator
from airflow_codebeamer.operators.unlock import UnlockTrackerOperator

__all__ = ["Unreleased", "find_unreleased"]


@dataclass(frozen=True)
class Unreleased:
    """A lock that stays where it is when the run fails."""

    dag_id: str
    task_id: str

    def __str__(self) -> str:
        return (
            f"No teardown gives back what the task {self.task_id} of the DAG "
            f"{self.dag_id} locks: if the run fails, the tracker stays locked until "
            "the lease is over and the janitor comes. Write "
            "`lock >> work >> lock.teardown()`, or use exclusive_tracker."
        )


def find_unreleased(dag: Any) -> list[Unreleased]:
    """Return the locks of a DAG that have no unlock behind them as teardown."""
    locks = [task for task in dag.tasks if is_a(task, LockTrackerOperator)]
    unlocks = [
        task
        for task in dag.tasks
        if task.is_teardown and is_a(task, UnlockTrackerOperator)
    ]
    return [
        Unreleased(dag.dag_id, lock.task_id)
        for lock in locks
        if not any(_covers(unlock, lock) for unlock in unlocks)
    ]


def _covers(unlock: Any, lock: Any) -> bool:
    if unlock.task_id not in lock.get_flat_relative_ids(upstream=False):
        return False
    only = _values(unlock, "tracker_id")
    if only and str(only[0]) not in map(str, _values(lock, "tracker_id")):
        return False
    named = list(_named(unlock))
    return not named or any(_is_of(one, lock) for one in named)


def _named(unlock: Any) -> Iterator[Any]:
    """Yield the tasks whose handles an unlock was given; none: whatever the run has."""
    for value in _values(unlock, "lock"):
        if isinstance(value, XComArg):
            yield from (task for task, _ in value.iter_references())


def _is_of(named: Any, lock: Any) -> bool:
    """Say whether a handle is the lock's own, or of the reservation of its tracker."""
    if named.task_id == lock.task_id:
        return True
    trackers = [str(one) for one in _values(lock, "tracker_id")]
    return is_a(named, ReserveTrackerOperator) and any(
        str(one) in trackers for one in _values(named, "tracker_id")
    )


def _values(task: Any, name: str) -> list[Any]:
    """Return what a task was given for a parameter, in whichever way."""
    given = getattr(task, name, None)
    if given is None:
        given = getattr(task, "partial_kwargs", {}).get(name)
    if given is None:
        expanded = getattr(task, "expand_input", None)
        found = getattr(expanded, "value", None)
        given = found.get(name) if isinstance(found, dict) else None
    return [] if given is None else [given]
