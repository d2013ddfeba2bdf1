"""A holder died inside: whoever comes next is told, until somebody has looked."""

from __future__ import annotations

from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.states import LockState

__all__ = ["mark_consistent", "tell_of_the_dead"]

_INSIDE = (LockState.LOCKING.value, LockState.HELD.value)


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
    if not lock.owner_died:
        return
    deaths = [
        event
        for event in parts.history.list_events(lock.server, lock.tracker_id)
        # Who goes on with his own lock has not died, and names nobody.
        if event.kind == "take_over"
        and "owner" in event.detail
        and event.detail.get("was") in _INSIDE
    ]
    who = "a holder"
    if deaths:
        last = deaths[-1]
        moment = last.at.isoformat(timespec="seconds")
        who = f"{last.detail['owner']} (taken over at {moment}, epoch {last.epoch})"
    parts.say(
        f"Tracker {lock.tracker_id}: {who} did not end its work here. Its runs were "
        "undone as far as the history says; look at the tracker, then say "
        f"`airflow-codebeamer lock consistent {lock.tracker_id} --reason TEXT`."
    )
