"""Drift: what others changed in permissions of a tracker that was ours; pure.

Events keep it, so that whoever releases can tell of it, also after a crash.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from airflow_codebeamer.locking.records.history import Event

__all__ = ["DOUBT", "DRIFT", "OVERRULED", "Drift", "drift_of"]

#: The event of write rights that were seen on a held tracker.
DRIFT = "drift"
#: The event of a change that the policy `exact` did not let stand.
OVERRULED = "overruled"
#: The event of a right given back that a person may have meant to revoke.
DOUBT = "doubt"


@dataclass(frozen=True)
class Drift:
    """Write rights that a role has on a held tracker and must not have.

    `at` is the store's time of the look that found it.
    """

    role: str
    rights: str
    at: str
    policy: str
    is_new_role: bool = False

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
        )

    def __str__(self) -> str:
        kind = "new role" if self.is_new_role else "role"
        ending = ", taken away again" if self.policy == "relock" else ""
        return (
            f"{kind} {self.role}: somebody added {self.rights} while the tracker was "
            f"held (seen at {self.at}{ending})"
        )


def drift_of(events: Iterable[Event]) -> dict[int, str]:
    """Return the last sentence of each role's drift, by role number."""
    said: dict[int, str] = {}
    for event in events:
        if event.kind == DRIFT:
            said[int(event.detail["role_id"])] = str(Drift.of(event))
        if event.kind == OVERRULED:
            said[int(event.detail["role_id"])] = str(event.detail["what"])
    return said
