"""The conditional UPDATE from which every change of a lock's record is made."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Double,
    Update,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.engine import Connection

from airflow_codebeamer.database import Database, freeze_table, lock_table
from airflow_codebeamer.errors import LockLostError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking.lock import FREEZE, Lock
from airflow_codebeamer.locking.records.history import History
from airflow_codebeamer.locking.records.rows import lock_from_row
from airflow_codebeamer.locking.states import STEPS, LockState, sources, target

__all__ = ["SCOPE", "Detail", "Transitions", "find_row", "lost", "same"]

SCOPE = "tracker"
_RAISING = frozenset(step.name for step in STEPS if step.raises_epoch)

Detail = Mapping[str, Any] | None

# What runs before each request is built once: to build a statement takes several times
# as long as to execute it.
_OF_TRACKER = (
    lock_table.c.server == bindparam("of_server"),
    lock_table.c.tracker_id == bindparam("of_tracker"),
    lock_table.c.scope == SCOPE,
)
_AS_SEEN = (
    *_OF_TRACKER,
    lock_table.c.epoch == bindparam("of_epoch"),
    lock_table.c.owner_key == bindparam("of_owner"),
)
_RECORD = select(lock_table).where(*_OF_TRACKER)
_STEP = update(lock_table).where(*_AS_SEEN, lock_table.c.state == bindparam("of_state"))


class Transitions:
    """Takes a record one step further if it is as the caller saw it.

    Epoch, owner and state stand in the WHERE of the statement, with whatever
    else has to be true at that moment. Time is the store's, evaluated in there.
    """

    def __init__(self, database: Database, history: History) -> None:
        self._database = database
        self._history = history

    def step(
        self,
        connection: Connection,
        seen: Lock,
        name: str,
        *conditions: ColumnElement[bool],
        event: str = "",
        detail: Detail = None,
        who: str = "",
        **values: Any,
    ) -> Lock | None:
        """Take the step of that name; return the lock after it, or None.

        The event is the step's name unless another is given.
        """
        if seen.state not in sources(name):
            return None
        told = {k: v for k, v in values.items() if isinstance(v, ColumnElement)}
        if name in _RAISING:
            told["epoch"] = lock_table.c.epoch + 1
        statement = _STEP.where(*conditions).values(
            lease_seq=lock_table.c.lease_seq + 1,
            **{"changed_at": self._database.now, **told},
        )
        changed = connection.execute(
            statement,
            {
                **_as_seen(seen),
                "of_state": seen.state.value,
                "state": target(seen.state, name).value,
                **{k: v for k, v in values.items() if k not in told},
            },
        ).rowcount
        if changed != 1:
            return None
        after = find_row(connection, seen.server, seen.tracker_id)
        assert after is not None  # noqa: S101 -- rows are never deleted
        self._history.record(
            after,
            event or name.replace(" ", "_"),
            detail,
            who=who or seen.owner.key,
            within=connection,
        )
        return after

    def extend(
        self,
        connection: Connection,
        lock: Lock,
        lease: timedelta,
        states: Collection[LockState] = (),
    ) -> None:
        """Extend a good lease in one of these states; in the lock's own by default.

        Raises:
            LockLostError: taken over, being broken, another state, or too late.
        """
        changed = connection.execute(
            _extension(self._database.now),
            {
                **_as_seen(lock),
                "in_states": [s.value for s in states or (lock.state,)],
                "lease": lease.total_seconds(),
            },
        ).rowcount
        if changed == 1 and lock.group:
            changed = connection.execute(
                update(freeze_table)
                .where(
                    freeze_table.c.server == lock.server,
                    freeze_table.c.tracker_id == lock.tracker_id,
                    freeze_table.c.lineage == lock.lineage,
                    freeze_table.c.owner_key == lock.owner.key,
                    freeze_table.c.lease_until > self._database.now,
                )
                .values(lease_until=self.ahead(lease))
            ).rowcount
        if changed != 1:
            raise lost(connection, lock)

    def ahead(self, span: timedelta) -> ColumnElement[float]:
        """Return store time plus a span."""
        return self._database.now + span.total_seconds()

    def bounded(self, lease: timedelta) -> ColumnElement[float]:
        """Return store time plus a lease, but no later than a lock may be held."""
        return _bounded(self.ahead(lease))

    def shared(self, lease: timedelta) -> ColumnElement[float]:
        """Return a lease's end; of a held freeze, the latest of its holders'."""
        return _shared(self.ahead(lease))

    def may_restore(self) -> tuple[ColumnElement[bool], ...]:
        """Return what lets a holder restore: a lease, and no break that is due."""
        now, until = self._database.now, lock_table.c.breaking_until
        return (
            lock_table.c.lease_until > now,
            or_(lock_table.c.breaking_since.is_(None), until > now),
        )

    def is_good(self) -> tuple[ColumnElement[bool], ...]:
        """Return what makes a lease good: not over, and nobody breaks the lock."""
        return _is_good(self._database.now)

    def is_over(self, lock_delay: timedelta) -> ColumnElement[bool]:
        """Return what allows to take a lock over."""
        seconds = lock_delay.total_seconds()
        broken = func.coalesce(lock_table.c.breaking_until, lock_table.c.breaking_since)
        return or_(
            lock_table.c.lease_until + seconds <= self._database.now,
            and_(
                lock_table.c.breaking_since.is_not(None),
                broken + seconds <= self._database.now,
            ),
        )

    def later_of_dirty(self, span: timedelta) -> ColumnElement[float] | Any:
        """Return until when requests may land: as known, or that span from now."""
        column = lock_table.c.dirty_put_until
        if not span:
            return column
        wanted = self.ahead(span)
        return case((column > wanted, column), else_=wanted)


def same(lock: Lock) -> tuple[ColumnElement[bool], ...]:
    """Return what identifies a record under the epoch and owner that were seen."""
    return (
        lock_table.c.server == lock.server,
        lock_table.c.tracker_id == lock.tracker_id,
        lock_table.c.scope == SCOPE,
        lock_table.c.epoch == lock.epoch,
        lock_table.c.owner_key == lock.record_key,
    )


def _as_seen(lock: Lock) -> dict[str, Any]:
    """Return the values of `_AS_SEEN`."""
    return {
        "of_server": lock.server,
        "of_tracker": lock.tracker_id,
        "of_epoch": lock.epoch,
        "of_owner": lock.record_key,
    }


def find_row(connection: Connection, server: str, tracker_id: TrackerId) -> Lock | None:
    """Return a tracker's record as it is in this transaction."""
    which = {"of_server": server, "of_tracker": tracker_id}
    row = connection.execute(_RECORD, which).mappings().one_or_none()
    return None if row is None else lock_from_row(row)


@lru_cache(maxsize=8)
def _extension(now: ColumnElement[float]) -> Update:
    """Return the renewal of a lease, for a store with that time."""
    return (
        update(lock_table)
        .where(
            *_AS_SEEN,
            lock_table.c.state.in_(bindparam("in_states", expanding=True)),
            *_is_good(now),
        )
        .values(
            lease_until=_shared(now + bindparam("lease", type_=Double())),
            lease_seq=lock_table.c.lease_seq + 1,
            changed_at=now,
        )
    )


def _is_good(now: ColumnElement[float]) -> tuple[ColumnElement[bool], ...]:
    return (lock_table.c.lease_until > now, lock_table.c.breaking_since.is_(None))


def _bounded(wanted: ColumnElement[float]) -> ColumnElement[float]:
    end = lock_table.c.hold_until
    return case((end < wanted, end), else_=wanted)


def _shared(ahead: ColumnElement[float]) -> ColumnElement[float]:
    end, wanted = lock_table.c.lease_until, _bounded(ahead)
    is_longer = and_(
        lock_table.c.mode == FREEZE,
        lock_table.c.state == LockState.HELD.value,
        end > wanted,
    )
    return case((is_longer, end), else_=wanted)


def lost(connection: Connection, lock: Lock) -> LockLostError:
    """Return the error that says why a lock is not ours any more."""
    found = find_row(connection, lock.server, lock.tracker_id)
    return LockLostError(
        lock.tracker_id,
        expected=lock.epoch,
        found=None if found is None else found.epoch,
        why=_why(lock, found),
    )


def _why(lock: Lock, found: Lock | None) -> str:
    if found is None:
        return "the store has no record of it"
    if found.state is LockState.FREE:
        return "it was released"
    if found.owner.key != lock.record_key:
        return f"{found.owner.key} has it now"
    if found.epoch != lock.epoch:
        return f"it was taken over, under epoch {found.epoch}"
    if found.breaking is not None:
        return f"{found.breaking.by} is breaking it: {found.breaking.reason}"
    if found.state is not lock.state:
        return f"it is {found.state.value} by now"
    if found.hold_until is not None and found.lease_until == found.hold_until:
        return "it was held for as long as hold_limit allows"
    return "its lease ran out"
