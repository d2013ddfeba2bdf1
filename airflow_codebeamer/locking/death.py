"""A holder died inside: whoever comes next is told, until somebody has looked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from airflow_codebeamer.ids import Epoch, Lineage, TrackerId
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.records.history import History
from airflow_codebeamer.locking.states import LockState

__all__ = ["Death", "find_death", "mark_consistent", "tell_of_the_dead"]

_INSIDE = (LockState.LOCKING.value, LockState.HELD.value)


@dataclass(frozen=True)
class Death:
    """A holder who did not end his work in a tracker, and whose lock that was."""

    owner: str
    epoch: Epoch
    at: datetime | None
    lineage: Lineage | None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON would have it."""
        return asdict(self)


def find_death(history: History, lock: Lock) -> Death | None:
    """Return the last death of which a tracker's record still tells, or None.

    It is this lock's own if the lineages are the same; else an earlier one's, and
    nobody has said since that the tracker is well.
    """
    if not lock.owner_died:
        return None
    deaths = [
        event
        for event in history.list_events(lock.server, lock.tracker_id)
        # Who goes on with his own lock has not died, and names nobody.
        if event.kind == "take_over"
        and "owner" in event.detail
        and event.detail.get("was") in _INSIDE
    ]
    if not deaths:
        return Death("a holder", Epoch(0), None, None)
    last = deaths[-1]
    return Death(str(last.detail["owner"]), last.epoch, last.at, last.lineage)


def mark_consistent(
    parts: Parts, tracker_id: TrackerId, *, by: str, reason: str
) -> bool:
    """Say that somebody has looked at a tracker in which a holder died."""
    seen = parts.store.find(parts.server, tracker_id)
    if seen is None or seen.state is LockState.RESTORING or not seen.owner_died:
        return False
    return parts.store.mark_consistent(seen, by=by, reason=reason) is not None


def tell_of_the_dead(parts: Parts, lock: Lock) -> None:
    """Say to whoever has just taken a lock that a holder before him died inside."""
    death = find_death(parts.history, lock)
    if death is None:
        return
    who = death.owner
    if death.at is not None:
        moment = death.at.isoformat(timespec="seconds")
        who = f"{who} (taken over at {moment}, epoch {death.epoch})"
    parts.say(
        f"Tracker {lock.tracker_id}: {who} did not end its work here. Its runs were "
        "undone as far as the history says; look at the tracker, then say "
        f"`airflow-codebeamer lock consistent {lock.tracker_id} --reason TEXT`."
    )
