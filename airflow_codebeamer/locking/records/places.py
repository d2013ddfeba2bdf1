"""Places of tickets: their rows, and which of them goes before another."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Exists,
    Select,
    and_,
    case,
    delete,
    exists,
    func,
    not_,
    or_,
    select,
)
from sqlalchemy.engine import Connection

from airflow_codebeamer.database import (
    Database,
    lock_table,
    queue_table,
    queue_tracker_table,
    role_journal_table,
)
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking.records.ticket import Ticket, digest_of, ticket_from_row
from airflow_codebeamer.locking.records.transitions import Transitions
from airflow_codebeamer.locking.roles import Phase
from airflow_codebeamer.locking.states import LockState
from airflow_codebeamer.settings import LockSettings

__all__ = [
    "OTHER",
    "WANTED",
    "Places",
    "goes_before",
    "holds",
    "in_parts",
    "is_asked",
    "is_for",
    "of_owner",
    "span_of",
    "tickets",
]

# Aliases are made once: each copies all columns of its table.
OTHER = queue_table.alias("other")
WANTED = queue_tracker_table.alias("wanted")
_THEIRS = queue_tracker_table.alias("theirs")
_OURS = queue_tracker_table.alias("ours")
_HELD = lock_table.alias("held")

#: A ticket whose waiter was not seen for so long is dropped.
_KEPT = timedelta(days=1)
#: SQLite knows 32,766 values in one statement at most, and we repeat some.
_MOST_VALUES = 10_000


class Places:
    """The rows of tickets, and what is written and asked about each."""

    def __init__(self, database: Database, moves: Transitions) -> None:
        self._database = database
        self._moves = moves

    def _drop_forgotten(self, connection: Connection, server: str) -> None:
        oldest = self._database.now - _KEPT.total_seconds()
        self._remove(
            connection, queue_table.c.server == server, queue_table.c.seen_at < oldest
        )

    def _remove(self, connection: Connection, *which: ColumnElement[bool]) -> None:
        # Locked where rows can be: nobody comes to life between the two statements.
        statement = select(queue_table.c.ticket).where(*which).with_for_update()
        for part in in_parts(connection.scalars(statement).all()):
            for table in (queue_tracker_table, queue_table):
                connection.execute(delete(table).where(table.c.ticket.in_(part)))

    def _seen(self, settings: LockSettings) -> Mapping[str, Any]:
        """Return what is written when a waiter is seen to live."""
        alive = self._moves.ahead(span_of(settings))
        return {"seen_at": self._database.now, "live_until": alive}

    def _here(
        self, settings: LockSettings, *, is_elsewhere: bool = False
    ) -> Mapping[str, Any]:
        """Return what is written when a waiter acts itself: it takes an offer up."""
        offer = queue_table.c.offer_until
        renewed = self._moves.ahead(settings.offer_ttl)
        written = {
            **self._seen(settings),
            "offer_until": case((offer > self._database.now, renewed), else_=offer),
        }
        return {**written, "live_until": renewed} if is_elsewhere else written

    def _ahead_of(self, mine: Any) -> ColumnElement[bool]:
        """Return the condition that somebody goes before the row of a ticket.

        Nobody goes before an owner who holds something; see `turn`.
        """
        ahead = exists(
            select(OTHER.c.ticket)
            .join(_THEIRS, _THEIRS.c.ticket == OTHER.c.ticket)
            .join(_OURS, _OURS.c.tracker_id == _THEIRS.c.tracker_id)
            .where(
                _OURS.c.ticket == mine.c.ticket,
                OTHER.c.server == mine.c.server,
                OTHER.c.owner_key != mine.c.owner_key,
                self._is_live(OTHER),
                goes_before(OTHER, mine.c.place, mine.c.ticket),
            )
            .correlate(mine)
        )
        has_some = holds(mine.c.server, mine.c.owner_key).correlate(mine)
        return and_(ahead, not_(has_some))

    def _is_live(self, ticket: Any) -> ColumnElement[bool]:
        return _is_live(ticket, self._database.now)

    def _select(
        self,
        connection: Connection,
        statement: Select[Any],
        which: Mapping[str, Any] | None = None,
    ) -> Iterator[Ticket]:
        for row in connection.execute(statement, which).mappings():
            yield ticket_from_row(row)


def tickets(now: ColumnElement[float]) -> Select[Any]:
    """Return the question for tickets in the order of their places."""
    is_live = func.coalesce(_is_live(queue_table, now), False).label("is_live")
    return select(queue_table, is_live).order_by(
        queue_table.c.server, queue_table.c.place, queue_table.c.ticket
    )


def _is_live(ticket: Any, now: ColumnElement[float]) -> ColumnElement[bool]:
    return or_(ticket.c.live_until > now, ticket.c.offer_until > now)


def span_of(settings: LockSettings) -> timedelta:
    """Return how long a waiter counts as living after it was seen."""
    return max(settings.waiter_ttl, 3 * settings.poll)


def of_owner(
    server: str, trackers: Collection[TrackerId], owner_key: str
) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of an owner's ticket for exactly these trackers."""
    return (
        queue_table.c.server == server,
        queue_table.c.owner_key == owner_key,
        queue_table.c.digest == digest_of(trackers),
    )


def is_for(tracker_id: Any) -> ColumnElement[bool]:
    """Return the condition that a ticket is for a tracker, among others or not."""
    return queue_table.c.ticket.in_(
        select(queue_tracker_table.c.ticket).where(
            queue_tracker_table.c.tracker_id == tracker_id
        )
    )


def holds(server: Any, owner_key: Any) -> Exists:
    """Return the condition that an owner has a lock, in whatever state."""
    return exists(
        select(_HELD.c.tracker_id).where(
            _HELD.c.server == server,
            _HELD.c.owner_key == owner_key,
            _HELD.c.state != LockState.FREE.value,
        )
    )


def is_asked() -> Exists:
    """Return the condition that the restore of a lock's row has an open question."""
    asked = role_journal_table.alias("asked")
    return exists(
        select(asked.c.number)
        .where(
            asked.c.lineage == lock_table.c.lineage,
            asked.c.phase == Phase.WAITING.value,
            asked.c.answer == "",
        )
        .correlate(lock_table)
    )


def goes_before(other: Any, place: Any, number: Any) -> ColumnElement[bool]:
    """Return the condition that a ticket goes before another at this place."""
    return or_(
        other.c.place < place, and_(other.c.place == place, other.c.ticket < number)
    )


def in_parts(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield numbers of tickets, as many as one statement takes."""
    for first in range(0, len(numbers), _MOST_VALUES):
        yield numbers[first : first + _MOST_VALUES]
