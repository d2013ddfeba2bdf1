"""What processes do: a run, and every way on after one that did not end well."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from airflow_codebeamer.locking import Owner, Recovery, RoleWatch
from tests.schedules.ground import BadError, Ground
from tests.schedules.process import Process

__all__ = ["FORMS", "Act", "Form", "janitor", "run"]

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


def watched(ground: Ground, process: Process) -> None:
    """Lock, let an administrator grant writing, look and take it again, release."""
    engine = ground.engine(process)
    lock = engine.acquire(ground.tracker, owner=Owner("dag/run 1"))
    ground.edit("grant writing to the last")
    RoleWatch(engine.parts, lock, lambda error: None).look()
    ground.check_held()
    engine.guard(lock)
    engine.release(ground.tracker, owner_key="dag/run 1")


def together(ground: Ground, process: Process) -> None:
    """Lock two trackers in one, look that nobody else writes, release both."""
    _lock_both(ground, process, Owner("dag/run 1"))


def together_later(ground: Ground, process: Process) -> None:
    """Let another run have both trackers, when the lease is long over."""
    ground.clock.sleep(_LONG)
    _lock_both(ground, process, Owner("dag/run 2"))


def release_both(ground: Ground, process: Process) -> None:
    """Release both as the same owner."""
    ground.engine(process).release_all(owner_key="dag/run 1")


def _lock_both(ground: Ground, process: Process, owner: Owner) -> None:
    engine = ground.engine(process)
    locks = engine.acquire_all(ground.trackers, owner=owner)
    if {lock.tracker_id for lock in locks} != set(ground.trackers):
        raise BadError(f"S12: {locks} are not all")
    ground.check_held()
    for lock in locks:
        engine.guard(lock)
    engine.release_all(owner_key=owner.key)


#: Who goes on after a crash.
RECOVERIES: dict[str, Act] = {
    "recovery": janitor,
    "the same run": again,
    "another run": other,
    "its release": release,
}


@dataclass(frozen=True)
class Form:
    """Something that is played, who goes on after it crashed, and what disturbs it."""

    act: Act = run
    recoveries: Mapping[str, Act] = field(default_factory=lambda: RECOVERIES)
    #: Whether only commits of the store are disturbed.
    commits_only: bool = False


#: By name; the first is what is played in twos and threes, with more and more roles.
FORMS = {
    "": Form(),
    "exact": Form(),
    "keep": Form(),
    "relock": Form(watched),
    "rotation": Form(commits_only=True),
    "two trackers": Form(
        together,
        {
            "recovery": janitor,
            "the same run": together,
            "another run": together_later,
            "its release": release_both,
        },
    ),
}
