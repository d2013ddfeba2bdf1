"""The lease of a lock: renewed, given up, and asked for before each act."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import update
from sqlalchemy.engine import Connection

from airflow_codebeamer.database import lock_table
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.records.records import LockRecords
from airflow_codebeamer.locking.records.transitions import find_row, same
from airflow_codebeamer.locking.states import LockState

__all__ = ["LockLeases"]


class LockLeases(LockRecords):
    """What a holder does with his lease, by store time and on one condition."""

    def renew(
        self, lock: Lock, lease: timedelta, states: Collection[LockState] = ()
    ) -> Lock:
        """Extend the lease of a lock, in the state that the caller knows or in these.

        Raises:
            LockLostError: taken over, being broken, released, or too late.
        """
        with self._database.begin() as connection:
            self._moves.extend(connection, lock, lease, states)
            renewed = find_row(connection, lock.server, lock.tracker_id)
            assert renewed is not None  # noqa: S101 -- rows are never deleted
            if lock.group:
                # One of several: it stays his, whoever the record names.
                renewed = replace(renewed, owner=lock.owner, group=lock.group)
            return renewed

    def let_go(self, lock: Lock, span: timedelta) -> None:
        """Say that nobody works under this lock any more: its lease is over by `span`.

        Requests without an answer are marked by themselves, so whoever goes on
        with its restore need not wait. Does nothing if the lock has moved on.
        """
        with self._database.begin() as connection:
            connection.execute(
                update(lock_table)
                .where(
                    *same(lock),
                    lock_table.c.state == LockState.RESTORING.value,
                    *self._moves.is_good(),
                )
                .values(
                    lease_until=self._moves.ahead(-span),
                    lease_seq=lock_table.c.lease_seq + 1,
                    changed_at=self._database.now,
                )
            )

    @contextmanager
    def fenced(self, lock: Lock, lease: timedelta) -> Iterator[Connection]:
        """Open a transaction that commits only if the lock is ours right now.

        It renews the lease in the same statement. This is the conditional write
        that precedes every request.

        Raises:
            LockLostError: nothing of the transaction happens.
        """
        with self._database.begin() as connection:
            self._moves.extend(connection, lock, lease)
            yield connection

    def mark_dirty(self, lock: Lock, connection: Connection, span: timedelta) -> None:
        """Remember that a request without an answer may still take effect."""
        connection.execute(
            update(lock_table)
            .where(*same(lock))
            .values(dirty_put_until=self._moves.later_of_dirty(span))
        )
