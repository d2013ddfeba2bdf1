"""A tracker that stays reduced until a person has looked, though nobody works there."""

from __future__ import annotations

from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.records.history import History
from airflow_codebeamer.locking.states import LockState

__all__ = ["ACCEPTED", "QUARANTINED", "accept_items", "list_left"]

#: The event that says why: a run could not be undone whole.
QUARANTINED = "quarantined"
#: The event that says who left the items as they are, and why.
ACCEPTED = "items_accepted"


def list_left(history: History, lock: Lock) -> list[str]:
    """Return what keeps a tracker in quarantine, a line each; [] if it is in none."""
    if lock.state is not LockState.RESTORING:
        return []
    last = history.find_last(lock.server, lock.tracker_id, QUARANTINED, ACCEPTED)
    if last is None or last.kind != QUARANTINED or last.lineage != lock.lineage:
        return []
    return [str(line) for line in last.detail.get("missing") or ()]


def accept_items(history: History, lock: Lock, *, by: str, reason: str) -> None:
    """Write down who ends a quarantine."""
    history.record(lock, ACCEPTED, {"reason": reason}, who=by)
