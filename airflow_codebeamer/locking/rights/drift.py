"""Drift: what others changed in permissions of a tracker that was ours; pure.

Events keep it, so that whoever releases can tell of it, also after a crash.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from airflow_codebeamer.locking.records.history import Event

__all__ = [
    "DOUBT",
    "DRIFT",
    "OVERRULED",
    "TAKEN",
    "Drift",
    "drift_of",
    "list_drift",
]

#: The event of write rights that were seen on a held tracker.
DRIFT = "drift"
#: The event that what was seen is away again.
TAKEN = "drift_taken"
#: The event of a change that the policy `exact` did not let stand.
OVERRULED = "overruled"
#: The event of a right given back that a person may have meant to revoke.
DOUBT = "doubt"


@dataclass(frozen=True)
class Drift:
    """Write rights that a role has on a held tracker and must not have.

    Or an item of a lock of items that is not locked by us: `rights` says by whom.
    `at` is the store's time of the look that found it. `is_taken` says that it is
    away again, or locked again.
    """

    role: str
    rights: str
    at: str
    policy: str
    is_new_role: bool = False
    is_item: bool = False
    is_taken: bool = True

    @classmethod
    def of(cls, event: Event) -> Drift:
        """Return the drift that an event of the history tells of."""
        detail = event.detail
        return cls(
            role=str(detail["role"]),
            rights=str(detail["rights"]),
            at=event.at.isoformat(timespec="seconds"),
            policy=str(detail["policy"]),
            is_new_role=bool(detail.get("is_new_role")),
            is_item=bool(detail.get("is_item")),
            # Older releases did not write down what became of it.
            is_taken=bool(detail.get("taken", True)),
        )

    @property
    def done(self) -> str:
        """What was done about it."""
        if self.policy == "fail":
            return "the work was stopped"
        if self.policy != "relock":
            return "left as it was"
        if self.is_item:
            return "locked again" if self.is_taken else "to be locked again"
        return "taken away again" if self.is_taken else "to be taken away again"

    def __str__(self) -> str:
        if self.is_item:
            return f"{self.role}: {self.rights} (seen at {self.at}, {self.done})"
        kind = "new role" if self.is_new_role else "role"
        return (
            f"{kind} {self.role}: somebody added {self.rights} while the tracker was "
            f"held (seen at {self.at}, {self.done})"
        )


def list_drift(events: Iterable[Event]) -> list[Drift]:
    """Return every drift of one lock's events, with what became of it."""
    return [drift for _, drift in _drifts(events)]


def drift_of(events: Iterable[Event]) -> dict[int, str]:
    """Return the last sentence of each role's drift, by role number."""
    ordered = list(events)
    said = {role: str(drift) for role, drift in _drifts(ordered)}
    for event in ordered:
        if event.kind == OVERRULED:
            said[int(event.detail["role_id"])] = str(event.detail["what"])
    return said


def _drifts(events: Iterable[Event]) -> list[tuple[int, Drift]]:
    found: list[tuple[int, Drift]] = []
    for event in events:
        if event.kind == DRIFT:
            found.append((int(event.detail["role_id"]), Drift.of(event)))
        if event.kind == TAKEN:
            away = event.detail["role_ids"]
            found = [
                (role, replace(drift, is_taken=True) if role in away else drift)
                for role, drift in found
            ]
    return found
