"""Notice: what the item of a lock says to people, and what we read of it; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_codebeamer.ids import Epoch, Lineage, TrackerId
from airflow_codebeamer.locking.lock import FREEZE, Lock

__all__ = ["Notice", "attachment_name", "free_text", "held_text", "notice_name"]

_LAST_LINE = re.compile(
    r"\[lock notice: tracker (\d+), epoch (\d+), lineage (\w+), (locked|free)\]"
)


@dataclass(frozen=True)
class Notice:
    """What the last line of a notice says: whose lock, and whether it is over."""

    tracker_id: TrackerId
    epoch: Epoch
    lineage: Lineage
    is_locked: bool

    @classmethod
    def of(cls, lock: Lock, *, is_locked: bool) -> Notice:
        """Return what the notice of a lock says."""
        lineage = lock.lineage or Lineage("none")
        return cls(lock.tracker_id, lock.epoch, lineage, is_locked)

    @classmethod
    def read(cls, text: str | None) -> Notice | None:
        """Return what a text says, None if it has no last line of ours."""
        found = _LAST_LINE.findall(text or "")
        if not found:
            return None
        tracker, epoch, lineage, state = found[-1]
        return cls(
            TrackerId(int(tracker)),
            Epoch(int(epoch)),
            Lineage(lineage),
            state == "locked",
        )

    def line(self) -> str:
        """Return the last line."""
        state = "locked" if self.is_locked else "free"
        return (
            f"[lock notice: tracker {self.tracker_id}, epoch {self.epoch}, "
            f"lineage {self.lineage}, {state}]"
        )


def notice_name(tracker_id: TrackerId) -> str:
    """Return the name of a tracker's notice: by it the item is found again."""
    return f"Lock notice of tracker {tracker_id}"


def attachment_name(tracker_id: TrackerId) -> str:
    """Return the name of the file with the escrow."""
    return f"escrow-tracker-{tracker_id}.json"


def held_text(
    lock: Lock, now: datetime, lease: timedelta, limit: timedelta = timedelta()
) -> str:
    """Return what the notice says while somebody has the tracker.

    It is written once, so it tells no end that a renewal would make untrue: only
    that a lock is over a `lease` after the last sign of life, if it was said `now`.
    """
    lines = [
        _who(lock),
        f"Why: {lock.reason or 'not said'}",
        f"Since: {_moment(lock.acquired_at)}",
        "Until: it is released. The lock is renewed while its run lives, and runs out "
        f"{_span(lease)} after the last sign of life at the latest: if it gave none "
        f"since this was written, at {_moment(now + lease)}. A tracker that is still "
        "locked then is given back by `airflow-codebeamer recover`.",
    ]
    if limit:
        lines.append(f"It is held for {_span(limit)} at most.")
    if lock.members:
        others = [str(one) for one in lock.members if one != lock.tracker_id]
        lines.append(f"In one lock with: {', '.join(others)}")
    if lock.owner.link:
        lines.append(f"Run: {lock.owner.link}")
    lines += [
        "To have it back sooner: ask whoever runs it, or an administrator of the "
        "generators to say",
        f"  airflow-codebeamer lock break {lock.tracker_id} "
        f"--expect-epoch {lock.epoch} --reason WHY",
        "Roles get their rights back when the lock ends; what an administrator grants "
        "meanwhile stays. What they had before is in the file "
        f"{attachment_name(lock.tracker_id)}.",
        Notice.of(lock, is_locked=True).line(),
    ]
    return "\n".join(lines)


def _who(lock: Lock) -> str:
    number = lock.tracker_id
    if lock.mode == FREEZE:
        who = lock.owner.key.removeprefix(f"{FREEZE}/")
        return (
            f"LOCKED: nobody writes to tracker {number} now, it is frozen. {who} began "
            "that, and others may share it. Everybody can read it as before."
        )
    return (
        f"LOCKED: only {lock.owner.key} writes to tracker {number} now. "
        "Everybody can read it as before."
    )


def free_text(lock: Lock, began: datetime | None, ended: datetime) -> str:
    """Return what the notice says once the tracker is free again."""
    owner = lock.owner.key or "somebody"
    return "\n".join(
        [
            f"FREE: tracker {lock.tracker_id} is not locked.",
            f"Last lock: {owner}, from {_moment(began)} to {_moment(ended)}.",
            Notice.of(lock, is_locked=False).line(),
        ]
    )


def _moment(moment: datetime | None) -> str:
    return "?" if moment is None else moment.strftime("%Y-%m-%d %H:%M UTC")


def _span(span: timedelta) -> str:
    minutes, seconds = divmod(int(span.total_seconds()), 60)
    return f"{minutes * 60 + seconds} seconds" if seconds else f"{minutes} minutes"
