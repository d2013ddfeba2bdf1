"""The queue: whose turn it is, decided inside the statement that acts on it.

One order for everybody: a ticket's place is the store's time when it came, less
one `ageing` for each point of priority. So of two that wait the lower priority
counts one more for each `ageing` that it has waited longer, and who came later
than the difference of priorities is worth never passes. A ticket for several
trackers is served when all are free and it is the first for each of them: it
holds none while it waits for another, so nobody waits in a circle.

A waiter says that it lives by touching its ticket. One that does not blocks
nobody, and keeps its place for a day. Who needs time to come (a task that waits
without a worker) gets an offer, which keeps its ticket alive meanwhile. An offer
that nobody took passes to the next; with the third the ticket goes to the end.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import (
    ColumnElement,
    exists,
    func,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.engine import Connection

from airflow_codebeamer.database import (
    insert_missing,
    queue_table,
    queue_tracker_table,
)
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking.lock import Owner
from airflow_codebeamer.locking.records.offers import Offers
from airflow_codebeamer.locking.records.places import (
    OTHER,
    WANTED,
    goes_before,
    holds,
    is_for,
    of_owner,
    tickets,
)
from airflow_codebeamer.locking.records.ticket import Ticket, digest_of
from airflow_codebeamer.locking.records.usher import Usher
from airflow_codebeamer.settings import LockSettings

__all__ = ["Queue"]

#: Later than any ticket.
_LAST = 2**62


class Queue(Offers, Usher):
    """The tickets of one database, and everything that becomes of them.

    Not promised: that whose turn it is now has it when he acts. The grant asks
    once more, in its own statement.
    """

    def enqueue(
        self,
        server: str,
        trackers: Collection[TrackerId],
        owner: Owner,
        *,
        settings: LockSettings,
        priority: int = 0,
        reason: str = "",
        is_elsewhere: bool = False,
    ) -> Ticket:
        """Return an owner's ticket for these trackers; a new one if he has none.

        A ticket that he has keeps its place; another priority than he asked for
        before moves it by what the difference is worth. With `is_elsewhere` it lives
        for `offer_ttl`, until somebody attends to it.
        """
        wanted = sorted(set(trackers))
        worth = settings.ageing.total_seconds()
        now = self._database.now
        mine = of_owner(server, wanted, owner.key)
        # Than he asked for before; what a person made of it stays.
        more = priority - queue_table.c.asked_priority
        with self._database.begin() as connection:
            self._drop_forgotten(connection, server)
            is_new = insert_missing(
                connection,
                queue_table,
                server=server,
                owner_key=owner.key,
                digest=digest_of(wanted),
                trackers=list(wanted),
                priority=priority,
                asked_priority=priority,
                place=now - priority * worth,
                enqueued_at=now,
                seen_at=now,
                live_until=now,
            )
            connection.execute(
                update(queue_table)
                .where(*mine)
                .values(
                    owner=owner.to_json(),
                    reason=reason,
                    place=queue_table.c.place - more * worth,
                    priority=queue_table.c.priority + more,
                    asked_priority=priority,
                    **self._here(settings, is_elsewhere=is_elsewhere),
                )
            )
            ticket = next(self._select(connection, tickets(now).where(*mine)))
            if is_new:
                for number in wanted:
                    insert_missing(
                        connection,
                        queue_tracker_table,
                        ticket=ticket.number,
                        tracker_id=number,
                    )
            return ticket

    def is_turn(
        self,
        server: str,
        trackers: Collection[TrackerId],
        owner_key: str,
        *,
        head_start: timedelta,
    ) -> bool:
        """Return whether nobody who waits goes before this owner; see `turn`."""
        turn = self.turn(server, trackers, owner_key, head_start=head_start)
        with self._database.read() as connection:
            return bool(connection.scalar(select(turn)))

    def turn(
        self,
        server: str,
        trackers: Collection[TrackerId],
        owner_key: str,
        *,
        head_start: timedelta,
    ) -> ColumnElement[bool]:
        """Return the condition that nobody who waits goes before this owner.

        Without a ticket he counts as come now, less the head start. One who holds
        a tracker already goes before those that wait: they may wait for it, too.
        """
        mine = of_owner(server, trackers, owner_key)
        number = func.coalesce(
            select(queue_table.c.ticket).where(*mine).scalar_subquery(), _LAST
        )
        place = func.coalesce(
            select(queue_table.c.place).where(*mine).scalar_subquery(),
            self._database.now - head_start.total_seconds(),
        )
        ahead = exists(
            select(OTHER.c.ticket)
            .join(WANTED, WANTED.c.ticket == OTHER.c.ticket)
            .where(
                WANTED.c.tracker_id.in_(sorted(set(trackers))),
                OTHER.c.server == server,
                OTHER.c.owner_key != owner_key,
                self._is_live(OTHER),
                goes_before(OTHER, place, number),
            )
            .correlate(None)
        )
        return or_(not_(ahead), holds(server, owner_key).correlate(None))

    def serve(
        self,
        connection: Connection,
        server: str,
        trackers: Collection[TrackerId],
        owner_key: str,
    ) -> None:
        """Take out the ticket of an owner who is granted its trackers just now."""
        self._remove(connection, *of_owner(server, trackers, owner_key))

    def rest(self, ticket: Ticket) -> None:
        """Say that nobody waits with this ticket for now; it keeps its place."""
        with self._database.begin() as connection:
            connection.execute(
                update(queue_table)
                .where(queue_table.c.ticket == ticket.number)
                .values(live_until=self._database.now, offer_until=None)
            )

    def list_tickets(
        self, server: str | None = None, tracker_id: TrackerId | None = None
    ) -> list[Ticket]:
        """Return who waits, on one server or all, in the order of their places."""
        statement = tickets(self._database.now)
        if server is not None:
            statement = statement.where(queue_table.c.server == server)
        if tracker_id is not None:
            statement = statement.where(is_for(tracker_id))
        with self._database.read() as connection:
            return list(self._select(connection, statement))
