"""Offers: what is kept for those who wait without a worker, and who still lives.

Waiters look often, and on SQLite whoever writes keeps everybody else from it. So a
look only reads, and goes on to write when something changes by it: an offer is due
or was missed, or a third of a waiter's lease has gone by.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    and_,
    case,
    exists,
    func,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.engine import Connection

from airflow_codebeamer.database import lock_table, queue_table, queue_tracker_table
from airflow_codebeamer.errors import TicketRemovedError
from airflow_codebeamer.locking.records.places import (
    Places,
    in_parts,
    is_asked,
    span_of,
)
from airflow_codebeamer.locking.records.ticket import Ticket
from airflow_codebeamer.locking.records.transitions import SCOPE
from airflow_codebeamer.locking.states import LockState
from airflow_codebeamer.settings import LockSettings

__all__ = ["Offers"]

#: So many offers may be missed before a ticket goes to the end.
_PATIENCE = 2
#: The part of a waiter's lease that goes by before it is written anew.
_GONE = 3


class Offers(Places):
    """Keeps tickets alive, and makes and withdraws offers.

    Not promised: that whose turn it is now has it when he acts. The grant asks
    once more, in its own statement.
    """

    def stay(self, ticket: Ticket, settings: LockSettings) -> bool:
        """Keep a ticket alive; return whether nobody who waits goes before it.

        Raises:
            TicketRemovedError: it is not in the queue any more.
        """
        mine = queue_table.c.ticket == ticket.number
        is_first = not_(self._ahead_of(queue_table))
        is_due = or_(self._fades(settings), queue_table.c.offer_until.is_not(None))
        look = select(is_first, is_due, self._is_missed(ticket.server)).where(mine)
        with self._database.read() as connection:
            seen = connection.execute(look).one_or_none()
        if seen is not None and not (seen[1] or seen[2]):
            return bool(seen[0])
        with self._database.begin() as connection:
            self._count_missed(connection, ticket.server)
            changed = connection.execute(
                update(queue_table).where(mine).values(**self._here(settings))
            ).rowcount
            if changed != 1:
                raise TicketRemovedError(ticket.trackers, owner=ticket.owner.key)
            return bool(connection.scalar(select(is_first).where(mine)))

    def attend(
        self, server: str, numbers: Collection[int], settings: LockSettings
    ) -> dict[int, bool]:
        """Keep these tickets alive and make the offers that are due.

        A look of two statements, however many tickets (up to 10,000); four more in a
        transaction of their own if there is anything to write. Returns for each that
        is still there whether it has an offer.
        """
        parts = list(in_parts(sorted(numbers)))
        with self._database.read() as connection:
            standing = self._standing(connection, parts)
            is_quiet = not any(
                connection.scalar(self._is_due(server, part, settings))
                for part in parts
            )
        if is_quiet:
            return standing
        with self._database.begin() as connection:
            self._count_missed(connection, server)
            for part in parts:
                mine = queue_table.c.ticket.in_(part)
                seen = self._seen(settings)
                connection.execute(update(queue_table).where(mine).values(**seen))
                self._offer(connection, mine, settings)
            return self._standing(connection, parts)

    def _standing(
        self, connection: Connection, parts: Sequence[Sequence[int]]
    ) -> dict[int, bool]:
        """Return who is there, and whether he has an offer."""
        has_offer = queue_table.c.offer_until.is_not(None)
        found: dict[int, bool] = {}
        for part in parts:
            rows = connection.execute(
                select(queue_table.c.ticket, has_offer).where(
                    queue_table.c.ticket.in_(part)
                )
            )
            found.update({number: bool(offered) for number, offered in rows})
        return found

    def _is_due(self, server: str, part: Sequence[int], settings: LockSettings) -> Any:
        """Return the question whether there is anything to write for some tickets."""
        wanted = or_(self._fades(settings), self._may_be_offered(settings))
        waiting = exists(
            select(queue_table.c.ticket).where(queue_table.c.ticket.in_(part), wanted)
        )
        return select(or_(waiting, self._is_missed(server)))

    def _fades(self, settings: LockSettings) -> ColumnElement[bool]:
        """Return the condition that a waiter's lease is to be written anew.

        So is that of a ticket which nobody has attended to yet: it is longer.
        """
        span, until = span_of(settings), queue_table.c.live_until
        left = span * (_GONE - 1) / _GONE
        return or_(until <= self._moves.ahead(left), until > self._moves.ahead(span))

    def _is_missed(self, server: str) -> ColumnElement[bool]:
        """Return the condition that an offer was not taken in time."""
        missed = queue_table.alias("missed")
        return exists(
            select(missed.c.ticket)
            .where(
                missed.c.server == server, missed.c.offer_until <= self._database.now
            )
            .correlate(None)
        )

    def _may_be_offered(self, settings: LockSettings) -> ColumnElement[bool]:
        """Return the condition that its trackers are free, and it is its turn."""
        wanted = queue_tracker_table.alias("free_wanted")
        taken = exists(
            select(wanted.c.ticket)
            .join(lock_table, lock_table.c.tracker_id == wanted.c.tracker_id)
            .where(
                wanted.c.ticket == queue_table.c.ticket,
                lock_table.c.server == queue_table.c.server,
                lock_table.c.scope == SCOPE,
                lock_table.c.state != LockState.FREE.value,
                or_(not_(self._moves.is_over(settings.lock_delay)), is_asked()),
            )
            .correlate(queue_table)
        )
        return and_(
            queue_table.c.offer_until.is_(None),
            not_(taken),
            not_(self._ahead_of(queue_table)),
        )

    def _offer(
        self, connection: Connection, mine: ColumnElement[bool], settings: LockSettings
    ) -> None:
        """Keep what is free, or may be taken over, for those whose turn it is."""
        connection.execute(
            update(queue_table)
            .where(mine, self._may_be_offered(settings))
            .values(offer_until=self._moves.ahead(settings.offer_ttl))
        )

    def _count_missed(self, connection: Connection, server: str) -> None:
        """Withdraw the offers that nobody took in time; the third costs the place."""
        behind = queue_table.alias("behind")
        end = (
            select(func.max(behind.c.place))
            .where(behind.c.server == server)
            .correlate(None)
            .scalar_subquery()
        )
        now = self._database.now
        is_last = queue_table.c.missed >= _PATIENCE
        connection.execute(
            update(queue_table)
            .where(
                queue_table.c.server == server,
                queue_table.c.offer_until <= now,
            )
            .values(
                offer_until=None,
                missed=case((is_last, 0), else_=queue_table.c.missed + 1),
                # A hair after the last, or it would stand level with it.
                place=case(
                    (and_(is_last, end >= now), end + 0.001),
                    (is_last, now),
                    else_=queue_table.c.place,
                ),
            )
        )
