"""The handle of locks: what tasks of a run pass on through XCom; no secret in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.operators.codebeamer import json_of

if TYPE_CHECKING:
    from airflow_codebeamer.locking import Lock, Owner

__all__ = ["Held", "handle_of", "read_handle"]


@dataclass(frozen=True)
class Held:
    """What a handle says: its owner, its trackers, and the locks as they were then.

    A tracker without a lock is one that somebody else had at that time.
    """

    owner: str
    locks: tuple[Lock, ...]
    tracker_ids: frozenset[TrackerId] = frozenset()
    lease: timedelta | None = None


def handle_of(
    owner: Owner, locks: Sequence[Lock], lease: timedelta | None = None
) -> dict[str, Any]:
    """Return the handle as JSON; a lock that is not the owner's counts as waiting."""
    ends = [lock.lease_until for lock in locks if lock.is_mine and lock.lease_until]
    handle: dict[str, Any] = {
        "locks": [
            {
                "lock": lock.handle() if lock.is_mine else None,
                "tracker_id": lock.tracker_id,
                "state": lock.state.value if lock.is_mine else "waiting",
            }
            for lock in locks
        ],
        "owner": owner.key,
        "deadline": min(ends).isoformat() if ends else None,
    }
    if lease is not None:
        handle["lease_seconds"] = lease.total_seconds()
    return handle


def read_handle(value: Any) -> Held:
    """Read a handle, as an object or as the JSON that a template rendered.

    Raises:
        ConfigurationError: this is no handle of ours.
    """
    from airflow_codebeamer.locking import Lock

    found = json_of(value)
    try:
        owner = str(found["owner"])
        entries = [entry["lock"] for entry in found["locks"]]
        trackers = frozenset(TrackerId(int(e["tracker_id"])) for e in found["locks"])
        seconds = found.get("lease_seconds")
        lease = None if seconds is None else timedelta(seconds=float(seconds))
    except (KeyError, TypeError, AttributeError, ValueError):
        owner, entries, trackers, lease = "", [], frozenset(), None
    if not owner or not all(isinstance(one, Mapping | None) for one in entries):
        raise ConfigurationError(
            "lock", "give the handle that a lock task returned, unchanged"
        )
    locks = tuple(Lock.from_handle(one) for one in entries if one)
    return Held(owner, locks, trackers, lease)
