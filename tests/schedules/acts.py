"""What processes do: a run, and every way on after one that did not end well."""

from __future__ import annotations

from collections.abc import Callable

from airflow_codebeamer.locking import Owner, Recovery
from tests.schedules.ground import BadError, Ground
from tests.schedules.process import Process

__all__ = ["RECOVERIES", "Act", "janitor", "run"]

Act = Callable[[Ground, Process], None]

_LONG = 7200.0


def run(ground: Ground, process: Process) -> None:
    """Lock, look that nobody else writes, release."""
    _lock_and_release(ground, process, Owner("dag/run 1"))


def again(ground: Ground, process: Process) -> None:
    """Do the same once more as the same owner, at once."""
    _lock_and_release(ground, process, Owner("dag/run 1"))


def other(ground: Ground, process: Process) -> None:
    """Let another run have the tracker, when the lease is long over."""
    ground.clock.sleep(_LONG)
    _lock_and_release(ground, process, Owner("dag/run 2"))


def release(ground: Ground, process: Process) -> None:
    """Release as the same owner, as an unlock task does."""
    ground.engine(process).release(ground.tracker, owner_key="dag/run 1")


def janitor(ground: Ground, process: Process) -> None:
    """Recover, when the lease is long over."""
    ground.clock.sleep(_LONG)
    for found in Recovery(ground.engine(process)).recover():
        if found.error.startswith(("AssertionError", "BadError")):
            raise BadError(found.error)


def _lock_and_release(ground: Ground, process: Process, owner: Owner) -> None:
    engine = ground.engine(process)
    lock = engine.acquire(ground.tracker, owner=owner)
    ground.check_held()
    engine.guard(lock)
    engine.release(ground.tracker, owner_key=owner.key)


#: Who goes on after a crash.
RECOVERIES: dict[str, Act] = {
    "recovery": janitor,
    "the same run": again,
    "another run": other,
    "its release": release,
}
