"""Lock and Owner: who has a tracker, until when, and for what; pure."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.ids import Epoch, Lineage, TrackerId
from airflow_codebeamer.locking.states import LockState

__all__ = ["FREEZE", "ROLE_PERMISSIONS", "Breaking", "Lock", "Owner"]

#: The mode of a lock that several owners share: nobody may write, they neither.
FREEZE = "freeze"
#: The name of the strategy that is meant where none is named.
ROLE_PERMISSIONS = "role_permissions"


@dataclass(frozen=True)
class Owner:
    """Who a lock belongs to. `key` decides identity, the rest is for people.

    A second try of the same work has the same key and gets the same lock.
    """

    key: str
    run: str = ""
    link: str = ""
    host: str = ""
    pid: int = 0

    @classmethod
    def here(cls, key: str, *, run: str = "", link: str = "") -> Owner:
        """Return an owner with this process's host and number."""
        return cls(key, run, link, host=socket.gethostname(), pid=os.getpid())

    def __str__(self) -> str:
        return self.key

    def as_freezer(self) -> Owner:
        """Return the name under which this owner begins a freeze, or waits for one."""
        return replace(self, key=f"{FREEZE}/{self.key}")

    def to_json(self) -> dict[str, Any]:
        """Return the owner as JSON would have it."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Owner:
        """Return the owner that `to_json` wrote; unknown properties are dropped."""
        known = value or {}
        return cls(
            key=str(known.get("key", "")),
            run=str(known.get("run", "")),
            link=str(known.get("link", "")),
            host=str(known.get("host", "")),
            pid=int(known.get("pid", 0) or 0),
        )


@dataclass(frozen=True)
class Breaking:
    """Somebody ends the lock by force: its holder may write no more.

    Until `until` the holder may still put everything back by himself.
    """

    by: str
    reason: str
    since: datetime
    until: datetime


@dataclass(frozen=True)
class Lock:
    """The record of one tracker, as it was when it was read.

    `epoch` is the fencing token: whoever acts under an older one is refused.
    `is_mine` says that the caller of the engine is the owner. `owner_died` says
    that a holder before, or of, this lock did not release it himself. `members` are
    the trackers of the set that it was taken in, its own included; () if alone.
    `strategy` says how others are kept from writing, with these `options`.

    `mode` is "freeze" if several owners share it; `group` then names the record's
    owner, who began it, where `owner` is one of those who share it.

    Not promised: that it is still so. Ask `LockEngine.guard` before writing.
    """

    server: str
    tracker_id: TrackerId
    owner: Owner
    epoch: Epoch
    state: LockState
    lineage: Lineage | None = None
    reason: str = ""
    acquired_at: datetime | None = None
    lease_until: datetime | None = None
    lease_seq: int = 0
    exclusive_role: str = ""
    members: tuple[TrackerId, ...] = ()
    restore_policy: str = "merge"
    strategy: str = ROLE_PERMISSIONS
    options: Mapping[str, Any] = field(default_factory=dict)
    mode: str = ""
    group: str = ""
    owner_died: bool = False
    is_mine: bool = False
    breaking: Breaking | None = None
    hold_until: datetime | None = None
    changed_at: datetime | None = field(default=None, repr=False)
    dirty_until: datetime | None = field(default=None, repr=False)
    fingerprint: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def together(self) -> tuple[TrackerId, ...]:
        """The trackers of its set, itself at least."""
        return self.members or (self.tracker_id,)

    @property
    def lease(self) -> timedelta | None:
        """How long the lease was when it was written, None if nobody has one."""
        if self.lease_until is None or self.changed_at is None:
            return None
        return self.lease_until - self.changed_at

    @property
    def record_key(self) -> str:
        """The owner that the record names: of a freeze, whoever began it."""
        return self.group or self.owner.key

    def handle(self) -> dict[str, Any]:
        """Return what another process needs to go on with this lock; no secret."""
        return {
            "server": self.server,
            "tracker_id": self.tracker_id,
            "owner": self.owner.to_json(),
            "epoch": self.epoch,
            "state": self.state.value,
            "lineage": self.lineage,
            "reason": self.reason,
            "acquired_at": _text(self.acquired_at),
            "lease_until": _text(self.lease_until),
            "exclusive_role": self.exclusive_role,
            "members": list(self.members),
            "restore_policy": self.restore_policy,
            "strategy": self.strategy,
            "options": dict(self.options),
            "mode": self.mode,
            "group": self.group,
            "is_mine": self.is_mine,
        }

    @classmethod
    def from_handle(cls, handle: Mapping[str, Any]) -> Lock:
        """Return the lock that a handle stands for.

        Raises:
            ConfigurationError: this is no handle of a lock.
        """
        try:
            return cls(
                server=str(handle["server"]),
                tracker_id=TrackerId(int(handle["tracker_id"])),
                owner=Owner.from_json(handle["owner"]),
                epoch=Epoch(int(handle["epoch"])),
                state=LockState(handle["state"]),
                lineage=handle.get("lineage"),
                reason=str(handle.get("reason", "")),
                acquired_at=_moment(handle.get("acquired_at")),
                lease_until=_moment(handle.get("lease_until")),
                exclusive_role=str(handle.get("exclusive_role", "")),
                members=tuple(TrackerId(int(m)) for m in handle.get("members", ())),
                restore_policy=str(handle.get("restore_policy", "merge")),
                strategy=str(handle.get("strategy") or ROLE_PERMISSIONS),
                options=dict(handle.get("options") or {}),
                mode=str(handle.get("mode") or ""),
                group=str(handle.get("group") or ""),
                is_mine=bool(handle.get("is_mine", True)),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ConfigurationError(
                "lock", "give the handle that the lock task returned, unchanged"
            ) from None


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
