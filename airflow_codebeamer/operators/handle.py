"""The handle of locks: what tasks of a run pass on through XCom; no secret in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.locking import Lock, Owner
from airflow_codebeamer.operators.codebeamer import json_of

__all__ = ["Held", "handle_of", "read_handle"]


@dataclass(frozen=True)
class Held:
    """What a handle says: its owner, and the locks as they were then."""

    owner: str
    locks: tuple[Lock, ...]


def handle_of(owner: Owner, locks: Sequence[Lock]) -> dict[str, Any]:
    """Return the handle as JSON; a lock that is not the owner's counts as waiting."""
    ends = [lock.lease_until for lock in locks if lock.is_mine and lock.lease_until]
    return {
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


def read_handle(value: Any) -> Held:
    """Read a handle, as an object or as the JSON that a template rendered.

    Raises:
        ConfigurationError: this is no handle of ours.
    """
    found = json_of(value)
    try:
        owner = str(found["owner"])
        entries = [entry["lock"] for entry in found["locks"]]
    except (KeyError, TypeError, AttributeError):
        owner, entries = "", []
    if not owner or not all(isinstance(one, Mapping | None) for one in entries):
        raise ConfigurationError(
            "lock", "give the handle that a lock task returned, unchanged"
        )
    return Held(owner, tuple(Lock.from_handle(one) for one in entries if one))
