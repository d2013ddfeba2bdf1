"""Records of locks as they are: reads only, judged by the store's time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, select

from airflow_codebeamer.database import Database, lock_table
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.records.history import History
from airflow_codebeamer.locking.records.queue import Queue
from airflow_codebeamer.locking.records.rows import lock_from_row
from airflow_codebeamer.locking.records.transitions import (
    SCOPE,
    Transitions,
    find_row,
    lost,
    same,
)
from airflow_codebeamer.locking.states import LockState

__all__ = ["LockRecords"]

_RECORDS = (
    select(lock_table)
    .where(lock_table.c.scope == SCOPE)
    .order_by(lock_table.c.server, lock_table.c.tracker_id)
)
_OF_SERVER = _RECORDS.where(lock_table.c.server == bindparam("of_server"))
_OF_OWNER = _OF_SERVER.where(
    lock_table.c.owner_key == bindparam("of_owner"),
    lock_table.c.state != LockState.FREE.value,
)


class LockRecords:
    """The records of locks in one database, to look at.

    Not promised: that a record is still so when it is returned.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.history = History(database)
        self._moves = Transitions(database, self.history)
        self.queue = Queue(database, self._moves)

    @property
    def database(self) -> Database:
        """The database that the records are in."""
        return self._database

    def find(self, server: str, tracker_id: TrackerId) -> Lock | None:
        """Return a tracker's record, None if it was never locked."""
        with self._database.read() as connection:
            return find_row(connection, server, tracker_id)

    def list_locks(self, server: str | None = None) -> list[Lock]:
        """Return every record, of one server or of all."""
        statement = _RECORDS if server is None else _OF_SERVER
        which = {} if server is None else {"of_server": server}
        with self._database.read() as connection:
            rows = connection.execute(statement, which).mappings()
            return [lock_from_row(row) for row in rows]

    def list_of(self, server: str, owner_key: str) -> list[Lock]:
        """Return the records of one owner that are not free, by tracker number."""
        which = {"of_server": server, "of_owner": owner_key}
        with self._database.read() as connection:
            rows = connection.execute(_OF_OWNER, which).mappings()
            return [lock_from_row(row) for row in rows]

    def now(self) -> datetime:
        """Return store time."""
        with self._database.read() as connection:
            seconds = connection.scalar(_time(self._database.now))
        return datetime.fromtimestamp(float(seconds or 0.0), UTC)

    def lease_left(self, lock: Lock) -> timedelta:
        """Return how long the lease of a held lock is still good.

        Raises:
            LockLostError: it is not good, or not this owner's any more.
        """
        left = lock_table.c.lease_until - self._database.now
        statement = select(left).where(
            *same(lock),
            lock_table.c.state == LockState.HELD.value,
            *self._moves.is_good(),
        )
        with self._database.read() as connection:
            seconds = connection.scalar(statement)
            if seconds is None:
                raise lost(connection, lock)
        return timedelta(seconds=float(seconds))


@lru_cache(maxsize=8)
def _time(now: ColumnElement[float]) -> Select[Any]:
    return select(now)
