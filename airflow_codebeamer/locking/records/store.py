"""Rows of locks: every change is one conditional UPDATE on what was seen.

No decision here is read first and written later. A step names the epoch, owner
and state that it starts from inside its own statement, with the lease and the
break as conditions beside them; if no row fits, nothing was changed. Time is
the store's, evaluated inside the statement: two machines need not agree on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy.engine import Connection

from airflow_codebeamer.database import Database, lock_table
from airflow_codebeamer.ids import Lineage
from airflow_codebeamer.locking.lock import Lock, Owner
from airflow_codebeamer.locking.records.freezes import Freezes
from airflow_codebeamer.locking.records.granting import NOBODY, UNBROKEN, Grants, named
from airflow_codebeamer.locking.records.leases import LockLeases
from airflow_codebeamer.locking.records.marks import LockMarks
from airflow_codebeamer.locking.records.transitions import (
    Detail,
    lost,
)
from airflow_codebeamer.locking.records.verdicts import Verdicts
from airflow_codebeamer.locking.states import LockState

__all__ = ["LockStore"]


class LockStore(Freezes, Grants, LockLeases, LockMarks):
    """The records of locks in one database, and every step that they can take.

    Methods that take a step return the lock after it, or None if the record was
    not as the caller had seen it; nothing is changed then.

    Not promised: that a returned lock is still so. Every later step checks.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.verdicts = Verdicts(database)

    def adopt(
        self,
        seen: Lock,
        owner: Owner,
        *,
        ttl: timedelta,
        dirty: timedelta,
        means: Mapping[str, Any] | None = None,
    ) -> Lock | None:
        """Go on, as the same owner, with a lock that an earlier try began.

        `dirty` is how long a request of that try may still take effect. Under a
        granted lock nothing was done yet: its strategy becomes what `means` says.
        """
        values = means if means and seen.state is LockState.GRANTED else {}
        return self._go_on(seen, owner, "adopt", ttl=ttl, dirty=dirty, **values)

    def hold(
        self,
        lock: Lock,
        *,
        lease: timedelta,
        limit: timedelta = timedelta(),
        detail: Detail = None,
    ) -> Lock:
        """Say that the server was read and every other role is read-only.

        No renewal goes past the `limit`, if there is one.

        Raises:
            LockLostError: the lock is not ours any more.
        """
        with self._database.begin() as connection:
            held = self._moves.step(
                connection,
                lock,
                "hold",
                *self._moves.is_good(),
                detail=detail,
                lease_until=self._moves.ahead(min(lease, limit) if limit else lease),
                hold_until=self._moves.ahead(limit) if limit else None,
            )
            if held is None:
                raise lost(connection, lock)
            return held

    def start_restoring(
        self, lock: Lock, *, ttl: timedelta, dirty: timedelta
    ) -> Lock | None:
        """Begin the release of one's own lock while its lease is good.

        Also in the period that a break leaves for it, and the break is over with it.
        """
        detail = None
        if lock.breaking is not None:
            detail = {"why": f"{lock.breaking.by} breaks it: {lock.breaking.reason}"}
        with self._database.begin() as connection:
            return self._moves.step(
                connection,
                lock,
                "restore",
                *self._moves.may_restore(),
                detail=detail,
                **UNBROKEN,
                hold_until=None,
                lease_until=self._moves.ahead(ttl),
                dirty_put_until=self._moves.later_of_dirty(dirty),
            )

    def resume_restoring(
        self, seen: Lock, owner: Owner, *, ttl: timedelta, dirty: timedelta
    ) -> Lock | None:
        """Go on with one's own release after a crash or after the lease ran out."""
        detail = {"was": seen.state.value, "why": "the same owner goes on"}
        return self._go_on(
            seen, owner, "take over", ttl=ttl, dirty=dirty, detail=detail
        )

    def take_over(
        self,
        seen: Lock,
        by: str,
        *,
        ttl: timedelta,
        lock_delay: timedelta,
        why: str,
    ) -> Lock | None:
        """Fence a holder whose lease is over, or whose lock is being broken.

        The record keeps its owner, who still finds in it what is owed; the epoch
        fences him, and the event says who took over. The condition is judged by
        store time inside the statement, lock delay included: no request of the
        old holder may be under way any more.
        """
        name = "clear" if seen.state is LockState.GRANTED else "take over"
        detail = {
            "was": seen.state.value,
            "owner": seen.owner.key,
            "since": seen.acquired_at.isoformat() if seen.acquired_at else None,
            "why": why,
        }
        values: dict[str, Any] = {
            "lease_until": self._moves.ahead(ttl),
            "hold_until": None,
        }
        if name == "clear":
            values = NOBODY
        if seen.state in (LockState.LOCKING, LockState.HELD):
            # He did not end his work himself. Who restores has nothing under way.
            values["owner_died"] = True
        with self._database.begin() as connection:
            return self._moves.step(
                connection,
                seen,
                name,
                self._moves.is_over(lock_delay),
                detail=detail,
                who=by,
                **values,
                **UNBROKEN,
            )

    def heal(
        self,
        seen: Lock,
        owner: Owner,
        *,
        lineage: Lineage,
        ttl: timedelta,
        detail: Detail,
        by: str,
    ) -> Lock | None:
        """Take a free tracker to put back what a late request of its lock took.

        Not if its permissions were accepted as they are since it was seen: that
        forgets the fingerprint and leaves the epoch.
        """
        with self._database.begin() as connection:
            return self._moves.step(
                connection,
                seen,
                "heal",
                lock_table.c.fingerprint.is_not(None),
                detail=detail,
                who=by,
                **named(owner),
                **UNBROKEN,
                reason="a request of its last lock landed late",
                lineage=lineage,
                acquired_at=self._database.now,
                lease_until=self._moves.ahead(ttl),
                dirty_put_until=None,
            )

    def free(
        self,
        lock: Lock,
        *,
        fingerprint: Mapping[str, Any],
        detail: Detail,
        by: str = "",
    ) -> Lock:
        """Free a tracker whose permissions were read back; last of a lineage.

        Raises:
            LockLostError: the lock is not ours any more.
        """
        with self._database.begin() as connection:
            freed = self._moves.step(
                connection,
                lock,
                "free",
                *self._moves.is_good(),
                event="restored_verified",
                detail=detail,
                who=by or lock.owner.key,
                **{**NOBODY, "fingerprint": dict(fingerprint)},
            )
            if freed is None:
                raise lost(connection, lock)
            return freed

    def forget(
        self, seen: Lock, *, by: str, reason: str, lock_delay: timedelta
    ) -> Lock | None:
        """Free a record whose tracker is gone, if nobody is restoring it.

        The lineage stays in the fingerprint: a tracker that is there after all is
        not locked before its rights are back.
        """
        known = {"digest": None, "lineage": seen.lineage, "forgotten": True}
        with self._database.begin() as connection:
            return self._moves.step(
                connection,
                seen,
                "forget",
                self._moves.is_over(lock_delay),
                detail={"reason": reason, "owner": seen.owner.key},
                who=by,
                **{**NOBODY, "fingerprint": known},
                **UNBROKEN,
            )

    def to_locking(
        self, lock: Lock, connection: Connection, *, role: str, policy: str
    ) -> Lock:
        """Take the step from granted to locking inside a fenced transaction."""
        moved = self._moves.step(
            connection, lock, "journal", exclusive_role=role, restore_policy=policy
        )
        if moved is None:
            raise lost(connection, lock)
        return moved

    def _go_on(
        self,
        seen: Lock,
        owner: Owner,
        name: str,
        *,
        ttl: timedelta,
        dirty: timedelta,
        detail: Detail = None,
        **values: Any,
    ) -> Lock | None:
        """Take a step that only the same owner may take, unless he is being fenced."""
        if seen.owner.key != owner.key:
            return None
        with self._database.begin() as connection:
            return self._moves.step(
                connection,
                seen,
                name,
                lock_table.c.breaking_since.is_(None),
                detail=detail,
                **named(owner),
                **values,
                lease_until=self._moves.ahead(ttl),
                hold_until=None,
                dirty_put_until=self._moves.later_of_dirty(dirty),
            )
