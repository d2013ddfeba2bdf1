"""What others than the waiter do to his place: move it, or end his waiting."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, update
from sqlalchemy.engine import Connection

from airflow_codebeamer.database import queue_table
from airflow_codebeamer.ids import Epoch, TrackerId
from airflow_codebeamer.locking.lock import Lock, Owner
from airflow_codebeamer.locking.records.history import History
from airflow_codebeamer.locking.records.places import Places, is_for, tickets
from airflow_codebeamer.locking.records.ticket import Ticket
from airflow_codebeamer.locking.records.transitions import find_row
from airflow_codebeamer.locking.states import LockState
from airflow_codebeamer.settings import LockSettings

__all__ = ["Usher"]


class Usher(Places):
    """Moves and removes tickets of owners; a person's doing is an event."""

    def leave(
        self,
        server: str | None,
        owner_key: str,
        tracker_id: TrackerId | None = None,
        *,
        by: str = "",
    ) -> list[Ticket]:
        """Remove an owner's tickets, or those for a tracker; return them.

        With `by` it is written down who did it.
        """
        with self._database.begin() as connection:
            found = self._of(connection, server, owner_key, tracker_id)
            if found:
                numbers = [ticket.number for ticket in found]
                self._remove(connection, queue_table.c.ticket.in_(numbers))
            if by:
                self._tell(connection, found, "removed_from_queue", {}, by)
            return found

    def reorder(
        self,
        server: str | None,
        owner_key: str,
        tracker_id: TrackerId | None = None,
        *,
        priority: int,
        settings: LockSettings,
        by: str,
        reason: str,
    ) -> list[Ticket]:
        """Give an owner's tickets another priority; return them as they are then.

        His place moves by what the difference is worth, as if he had asked for it.
        It stays so when he comes back and asks for what he had asked for before.
        """
        worth = settings.ageing.total_seconds()
        column = queue_table.c.priority
        with self._database.begin() as connection:
            found = self._of(connection, server, owner_key, tracker_id)
            numbers = [ticket.number for ticket in found]
            connection.execute(
                update(queue_table)
                .where(queue_table.c.ticket.in_(numbers))
                .values(
                    place=queue_table.c.place + (column - priority) * worth,
                    priority=priority,
                )
            )
            detail = {"priority": priority, "reason": reason}
            self._tell(connection, found, "reordered", detail, by)
            return self._of(connection, server, owner_key, tracker_id)

    def _of(
        self,
        connection: Connection,
        server: str | None,
        owner_key: str,
        tracker_id: TrackerId | None,
    ) -> list[Ticket]:
        names = [owner_key, Owner(owner_key).as_freezer().key]
        which = {"names": names, "of_server": server, "of_tracker": tracker_id}
        statement = _of_owners(
            self._database.now,
            of_server=server is not None,
            of_tracker=tracker_id is not None,
        )
        return list(self._select(connection, statement, which))

    def _tell(
        self,
        connection: Connection,
        found: Collection[Ticket],
        kind: str,
        detail: Mapping[str, Any],
        by: str,
    ) -> None:
        history = History(self._database)
        for ticket in found:
            said = {"owner": ticket.owner.key, "was": ticket.priority, **detail}
            for tracker_id in ticket.trackers:
                record = find_row(connection, ticket.server, tracker_id)
                nobody = Lock(
                    ticket.server, tracker_id, Owner(""), Epoch(0), LockState.FREE
                )
                history.record(record or nobody, kind, said, who=by, within=connection)


@lru_cache(maxsize=16)
def _of_owners(
    now: ColumnElement[float], *, of_server: bool, of_tracker: bool
) -> Select[Any]:
    """Return the question for tickets of owners, built once for a store's time."""
    statement = tickets(now).where(
        queue_table.c.owner_key.in_(bindparam("names", expanding=True))
    )
    if of_server:
        statement = statement.where(queue_table.c.server == bindparam("of_server"))
    if of_tracker:
        statement = statement.where(is_for(bindparam("of_tracker")))
    return statement
