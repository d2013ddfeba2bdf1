"""Locks for the length of one command, given back however it ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from airflow_codebeamer.cli.lock import release_line
from airflow_codebeamer.cli.session import Session
from airflow_codebeamer.errors import CodebeamerError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Lock, Owner
from airflow_codebeamer.wiring import Codebeamer

__all__ = ["Held", "holding", "release_lines"]


@dataclass
class Held:
    """The locks that a command holds, and what became of them in the end."""

    locks: list[Lock] = field(default_factory=list)
    released: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def holding(
    session: Session,
    codebeamer: Codebeamer,
    tracker_ids: Sequence[TrackerId],
    *,
    owner: Owner,
    reason: str,
    wait_for: timedelta | None = None,
) -> Iterator[Held]:
    """Lock trackers, all or none, and release what was written last first.

    Raises:
        CodebeamerError: as `LockEngine.acquire_all` and `release`.
    """
    held = Held()
    try:
        held.locks += codebeamer.engine.acquire_all(
            tracker_ids, owner=owner, reason=reason, wait_for=wait_for
        )
        yield held
    except BaseException as error:
        try:
            _release(session, codebeamer, held)
        except CodebeamerError as trouble:
            error.add_note(f"The lock is not released yet: {trouble}")
        raise
    _release(session, codebeamer, held)


def release_lines(released: Sequence[dict[str, Any]]) -> list[str]:
    """Return what others did to permissions meanwhile."""
    return [
        f"Others changed permissions: {line}" for r in released for line in r["drift"]
    ]


def _release(session: Session, codebeamer: Codebeamer, held: Held) -> None:
    """Release all, even if one cannot be; then say what that was."""
    troubles: list[CodebeamerError] = []
    for lock in codebeamer.runs.newest_first(held.locks):
        try:
            report = codebeamer.engine.release(
                lock.tracker_id, owner_key=lock.owner.key, epoch=lock.epoch, judge=False
            )
            session.out.say(release_line(report))
            held.released.append(report.to_json())
            report.require()
        except CodebeamerError as error:
            troubles.append(error)
    if troubles:
        raise troubles[0]
