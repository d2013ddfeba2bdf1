"""What a person writes into the record of a lock; no step is taken by it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, true, update
from sqlalchemy.engine import Connection

from airflow_codebeamer.database import lock_table
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.records.records import LockRecords
from airflow_codebeamer.locking.records.transitions import find_row, lost, same
from airflow_codebeamer.locking.states import LockState

__all__ = ["LockMarks"]


class LockMarks(LockRecords):
    """Words of people about one lock: who, why, and under which epoch it was seen."""

    def set_breaking(
        self, seen: Lock, *, by: str, reason: str, period: timedelta = timedelta()
    ) -> Lock | None:
        """Fence the holder of a lock at once; take it over after period and lock delay.

        The period is no longer than his lease. In it he may restore by himself.
        """
        lease, now = lock_table.c.lease_until, self._database.now
        end = self._moves.ahead(period)
        return self._mark(
            seen,
            lock_table.c.state != LockState.FREE.value,
            event="breaking",
            by=by,
            reason=reason,
            breaking_by=by,
            breaking_reason=reason,
            breaking_since=self._database.now,
            breaking_until=case((lease <= now, now), (lease < end, lease), else_=end),
        )

    def forget_fingerprint(self, seen: Lock, *, by: str, reason: str) -> Lock | None:
        """Accept a free tracker's permissions as they are: its last lineage ends."""
        return self._mark(
            seen,
            lock_table.c.state == LockState.FREE.value,
            event="accepted",
            by=by,
            reason=reason,
            fingerprint=None,
            lineage=None,
        )

    def mark_consistent(self, seen: Lock, *, by: str, reason: str) -> Lock | None:
        """Forget that a holder died under an earlier lock: somebody has looked."""
        return self._mark(
            seen,
            lock_table.c.owner_died == true(),
            event="consistent",
            by=by,
            reason=reason,
            owner_died=False,
        )

    @contextmanager
    def unmoved(self, seen: Lock) -> Iterator[Connection]:
        """Open a transaction that commits only if the record is as it was seen.

        Raises:
            LockLostError: it has moved on; nothing of the transaction happens.
        """
        with self._database.begin() as connection:
            changed = connection.execute(
                update(lock_table)
                .where(*same(seen), lock_table.c.state == seen.state.value)
                .values(changed_at=self._database.now)
            ).rowcount
            if changed != 1:
                raise lost(connection, seen)
            yield connection

    def _mark(
        self,
        seen: Lock,
        condition: ColumnElement[bool],
        *,
        event: str,
        by: str,
        reason: str,
        **values: Any,
    ) -> Lock | None:
        """Write into a record without taking a step, on a person's word."""
        with self._database.begin() as connection:
            changed = connection.execute(
                update(lock_table)
                .where(*same(seen), condition)
                .values(**values, changed_at=self._database.now)
            ).rowcount
            if changed != 1:
                return None
            self.history.record(
                seen, event, {"reason": reason}, who=by, within=connection
            )
            return find_row(connection, seen.server, seen.tracker_id)
