"""Who holds a freeze: several owners of one lock, counted in the store.

The record of a frozen tracker belongs to the freeze that began it, and its lease
lasts as long as the longest of its holders'. Joining and leaving each begin with an
update of that record, so of two at the same moment one sees what the other did: the
last to leave is the one who restores, and nobody joins what is being restored.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import (
    ColumnElement,
    and_,
    bindparam,
    delete,
    exists,
    select,
    update,
)
from sqlalchemy.engine import Connection

from airflow_codebeamer.database import freeze_table, insert_missing, lock_table
from airflow_codebeamer.locking.lock import FREEZE, Lock, Owner
from airflow_codebeamer.locking.records.records import LockRecords
from airflow_codebeamer.locking.records.rows import lock_from_row, moment
from airflow_codebeamer.locking.records.transitions import SCOPE, find_row, same
from airflow_codebeamer.locking.states import LockState

__all__ = ["Freezes"]

_FREEZES_OF = (
    select(lock_table)
    .join(
        freeze_table,
        and_(
            freeze_table.c.server == lock_table.c.server,
            freeze_table.c.tracker_id == lock_table.c.tracker_id,
            freeze_table.c.lineage == lock_table.c.lineage,
        ),
    )
    .where(
        lock_table.c.server == bindparam("of_server"),
        lock_table.c.scope == SCOPE,
        lock_table.c.mode == FREEZE,
        lock_table.c.state != LockState.FREE.value,
        freeze_table.c.owner_key == bindparam("of_owner"),
    )
)


class Freezes(LockRecords):
    """Lets owners join and leave a freeze."""

    def join_freeze(
        self,
        seen: Lock,
        owner: Owner,
        *,
        ticket_of: str,
        in_turn: bool,
        reason: str,
        lease: timedelta,
    ) -> Lock | None:
        """Make an owner one of a held freeze's; None if it is not, or not his turn.

        Again as the same owner extends his lease. `ticket_of` is the name under
        which he waits: whoever waits for the tracker goes before him, if it has to
        be `in_turn`.
        """
        turn = self.queue.turn(
            seen.server, [seen.tracker_id], ticket_of, head_start=timedelta()
        )
        with self._database.begin() as connection:
            changed = connection.execute(
                update(lock_table)
                .where(
                    *same(seen),
                    lock_table.c.mode == FREEZE,
                    lock_table.c.state == LockState.HELD.value,
                    *self._moves.is_good(),
                    *((turn,) if in_turn else ()),
                )
                .values(
                    lease_until=self._moves.shared(lease),
                    lease_seq=lock_table.c.lease_seq + 1,
                )
            ).rowcount
            if changed != 1:
                return None
            # What holders of an earlier freeze left of themselves.
            connection.execute(
                delete(freeze_table).where(
                    freeze_table.c.server == seen.server,
                    freeze_table.c.tracker_id == seen.tracker_id,
                    freeze_table.c.lineage != seen.lineage,
                )
            )
            insert_missing(
                connection,
                freeze_table,
                server=seen.server,
                tracker_id=seen.tracker_id,
                owner_key=owner.key,
                lineage=seen.lineage,
                since=self._database.now,
            )
            connection.execute(
                update(freeze_table)
                .where(*_mine(seen, owner.key))
                .values(
                    owner=owner.to_json(),
                    reason=reason,
                    lease_until=self._moves.ahead(lease),
                )
            )
            self.queue.serve(connection, seen.server, [seen.tracker_id], ticket_of)
            after = find_row(connection, seen.server, seen.tracker_id)
            assert after is not None  # noqa: S101 -- rows are never deleted
            self.history.record(
                after, "freeze_joined", None, who=owner.key, within=connection
            )
            (mine,) = self._holders(connection, after, owner.key)
            return mine

    def leave_freeze(
        self, seen: Lock, owner_key: str, *, ttl: timedelta, dirty: timedelta
    ) -> tuple[bool, Lock | None]:
        """Take an owner out; return whether he was in, and the record if he was last.

        The record of the last one is restoring then, and his to restore.
        """
        with self._database.begin() as connection:
            # Waits for whoever joins or leaves just now, and sees what he did.
            connection.execute(
                update(lock_table)
                .where(*same(seen))
                .values(lease_seq=lock_table.c.lease_seq + 1)
            )
            was_in = connection.execute(
                update(freeze_table)
                .where(*_mine(seen, owner_key), freeze_table.c.lease_until.is_not(None))
                .values(lease_until=None)
            ).rowcount
            if was_in != 1:
                return False, None
            self.history.record(
                seen, "freeze_left", None, who=owner_key, within=connection
            )
            others = exists(
                select(freeze_table.c.owner_key).where(
                    freeze_table.c.server == seen.server,
                    freeze_table.c.tracker_id == seen.tracker_id,
                    freeze_table.c.lineage == seen.lineage,
                    freeze_table.c.lease_until > self._database.now,
                )
            )
            restoring = self._moves.step(
                connection,
                seen,
                "restore",
                ~others,
                *self._moves.is_good(),
                who=owner_key,
                lease_until=self._moves.ahead(ttl),
                dirty_put_until=self._moves.later_of_dirty(dirty),
            )
            if restoring is not None:
                # His to go on with, should he not get to the end of it.
                connection.execute(
                    update(freeze_table)
                    .where(*_mine(seen, owner_key))
                    .values(lease_until=self._database.now)
                )
            return True, restoring

    def list_holders(self, freeze: Lock, owner_key: str = "") -> list[Lock]:
        """Return a freeze as each of its holders has it, or one of them.

        Those who left are not listed, those whose lease ran out are.
        """
        with self._database.read() as connection:
            return self._holders(connection, freeze, owner_key)

    def list_of(self, server: str, owner_key: str) -> list[Lock]:
        """Return what one owner has, alone or with others, by tracker number."""
        alone = super().list_of(server, owner_key)
        which = {"of_server": server, "of_owner": owner_key}
        with self._database.read() as connection:
            rows = connection.execute(_FREEZES_OF, which).mappings().all()
            shared = [
                mine
                for row in rows
                for mine in self._holders(connection, lock_from_row(row), owner_key)
            ]
        return sorted([*alone, *shared], key=lambda lock: lock.tracker_id)

    def _holders(
        self, connection: Connection, freeze: Lock, owner_key: str
    ) -> list[Lock]:
        statement = (
            select(freeze_table)
            .where(
                freeze_table.c.server == freeze.server,
                freeze_table.c.tracker_id == freeze.tracker_id,
                freeze_table.c.lineage == freeze.lineage,
                freeze_table.c.lease_until.is_not(None),
            )
            .order_by(freeze_table.c.since, freeze_table.c.owner_key)
        )
        if owner_key:
            statement = statement.where(freeze_table.c.owner_key == owner_key)
        return [
            replace(
                freeze,
                owner=Owner.from_json(row["owner"]),
                group=freeze.owner.key,
                reason=row["reason"],
                acquired_at=moment(row["since"]),
                lease_until=moment(row["lease_until"]),
            )
            for row in connection.execute(statement).mappings()
        ]


def _mine(freeze: Lock, owner_key: str) -> tuple[ColumnElement[bool], ...]:
    return (
        freeze_table.c.server == freeze.server,
        freeze_table.c.tracker_id == freeze.tracker_id,
        freeze_table.c.lineage == freeze.lineage,
        freeze_table.c.owner_key == owner_key,
    )
