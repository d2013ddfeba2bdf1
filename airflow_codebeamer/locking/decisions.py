"""What people decided about one lock, as its history keeps it: who, when and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from airflow_codebeamer.locking.records.history import Event

__all__ = ["Decision", "decisions_of"]

#: Events that are the word of a person, and what he did by it.
_DID = {
    "accepted": "accepted its permissions as they were",
    "amended": "amended role {role}",
    "answered": "answered {take} for role {role}",
    "breaking": "broke the lock",
    "consistent": "found the tracker consistent",
    "forget": "forgot the lock, since the tracker is gone",
    "heal": "remembered the lock that had been forgotten",
    "items_accepted": "left its items as they were",
}


@dataclass(frozen=True)
class Decision:
    """One word of a person about a lock; `who` is as it was written down then."""

    at: datetime
    who: str
    what: str
    reason: str

    def __str__(self) -> str:
        moment = self.at.isoformat(timespec="seconds")
        return f"{moment}  {self.who} {self.what}, because: {self.reason}"

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON would have it."""
        return asdict(self)


def decisions_of(events: Iterable[Event]) -> list[Decision]:
    """Return what of these events people decided, in their order.

    An amendment without a reason is none: the watch amends by itself.
    """
    return [
        Decision(
            event.at,
            event.who,
            _DID[event.kind].format_map(
                {name: event.detail.get(name, "?") for name in ("role", "take")}
            ),
            str(event.detail["reason"]),
        )
        for event in events
        if event.kind in _DID and event.detail.get("reason")
    ]
