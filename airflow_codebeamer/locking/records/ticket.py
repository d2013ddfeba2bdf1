"""Ticket: one owner's place in the queue; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking.lock import Owner
from airflow_codebeamer.locking.records.rows import moment

__all__ = ["Ticket", "digest_of", "positions", "ticket_from_row"]


@dataclass(frozen=True)
class Ticket:
    """Who waits for which trackers, since when, and whether it is his turn.

    `place` orders tickets, the smallest first: it is when the ticket came, less
    what its priority is worth. One that is not `is_live` was not seen for too
    long; it blocks nobody and keeps its place. While `offer_until` lasts the
    trackers are kept for it; `missed` counts offers that nobody took.

    Not promised: that it is still so when it is returned.
    """

    number: int
    server: str
    trackers: tuple[TrackerId, ...]
    owner: Owner
    priority: int
    place: float
    enqueued_at: datetime
    seen_at: datetime
    reason: str = ""
    offer_until: datetime | None = None
    missed: int = 0
    is_live: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the ticket as JSON would have it; no secret in it."""
        return {
            "ticket": self.number,
            "server": self.server,
            "trackers": list(self.trackers),
            "owner": self.owner.to_json(),
            "priority": self.priority,
            "enqueued_at": self.enqueued_at.isoformat(),
            "seen_at": self.seen_at.isoformat(),
            "reason": self.reason,
            "offer_until": self.offer_until and self.offer_until.isoformat(),
            "missed": self.missed,
            "is_live": self.is_live,
        }


def digest_of(trackers: Iterable[TrackerId]) -> str:
    """Return what stands for a set of trackers in an index."""
    return sha256(",".join(map(str, sorted(set(trackers)))).encode()).hexdigest()


def positions(tickets: Iterable[Ticket]) -> dict[int, int]:
    """Return which turn each living ticket has, from 1; `tickets` are in order.

    It counts those who want a tracker that the ticket is for.
    """
    before: list[Ticket] = []
    found: dict[int, int] = {}
    for ticket in tickets:
        if not ticket.is_live:
            continue
        ahead = [
            other
            for other in before
            if other.server == ticket.server and {*other.trackers} & {*ticket.trackers}
        ]
        found[ticket.number] = 1 + len(ahead)
        before.append(ticket)
    return found


def ticket_from_row(row: Mapping[Any, Any]) -> Ticket:
    """Return the ticket that a row of `codebeamer_queue` says."""
    enqueued, seen = moment(row["enqueued_at"]), moment(row["seen_at"])
    assert enqueued is not None  # noqa: S101 -- the columns are NOT NULL
    assert seen is not None  # noqa: S101 -- the same
    return Ticket(
        number=row["ticket"],
        server=row["server"],
        trackers=tuple(TrackerId(number) for number in row["trackers"]),
        owner=Owner.from_json(row["owner"]),
        priority=row["priority"],
        place=row["place"],
        enqueued_at=enqueued,
        seen_at=seen,
        reason=row["reason"],
        offer_until=moment(row["offer_until"]),
        missed=row["missed"],
        is_live=bool(row["is_live"]),
    )
