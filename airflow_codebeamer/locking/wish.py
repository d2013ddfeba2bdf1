"""What somebody wants of a lock, before there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking.lock import ROLE_PERMISSIONS, Owner

__all__ = ["Wish"]


@dataclass(frozen=True)
class Wish:
    """What somebody wants: a tracker, for himself, for so long, in that role.

    `members` are all trackers that he wants in one lock; () if it is the only one.
    """

    tracker_id: TrackerId
    owner: Owner
    reason: str
    lease: timedelta
    wait_for: timedelta
    exclusive_role: str
    priority: int = 0
    restore_policy: str = ""
    members: tuple[TrackerId, ...] = ()
    strategy: str = ROLE_PERMISSIONS
    options: Mapping[str, Any] = field(default_factory=dict)
    mode: str = ""

    @property
    def means(self) -> dict[str, Any]:
        """The columns of the record that say how others are kept from writing."""
        is_usual = self.strategy == ROLE_PERMISSIONS
        return {
            "strategy": "" if is_usual else self.strategy,
            "options": dict(self.options) or None,
            "mode": self.mode,
        }

    @property
    def trackers(self) -> tuple[TrackerId, ...]:
        """Every tracker that is wanted in one lock."""
        return self.members or (self.tracker_id,)
