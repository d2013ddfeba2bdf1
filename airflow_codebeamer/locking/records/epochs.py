"""The floor below which no epoch of a tracker is ever given out again.

A store that was put back from a backup, or is new, counts from below what it has
given out before. Whoever still has one of those epochs would pass for the holder.
"""

from __future__ import annotations

from sqlalchemy import update

from airflow_codebeamer.database import insert_missing, lock_table
from airflow_codebeamer.ids import Epoch, TrackerId
from airflow_codebeamer.locking.records.store import LockStore
from airflow_codebeamer.locking.records.transitions import SCOPE, find_row

__all__ = ["open_record", "raise_epoch"]


def open_record(
    store: LockStore, server: str, tracker_id: TrackerId, *, host: str
) -> None:
    """Have a record of a tracker, free and of no epoch, if there is none."""
    database = store.database
    with database.begin() as connection:
        insert_missing(
            connection,
            lock_table,
            server=server,
            tracker_id=tracker_id,
            scope=SCOPE,
            created_host=host,
            created_at=database.now,
        )


def raise_epoch(
    store: LockStore,
    server: str,
    tracker_id: TrackerId,
    epoch: Epoch,
    *,
    host: str,
    by: str,
    why: str,
) -> bool:
    """Let the next epoch of a tracker be above this one; return whether it was not.

    In any state: whoever holds the tracker under an older epoch is fenced by it.
    """
    open_record(store, server, tracker_id, host=host)
    database = store.database
    with database.begin() as connection:
        before = find_row(connection, server, tracker_id)
        changed = connection.execute(
            update(lock_table)
            .where(
                lock_table.c.server == server,
                lock_table.c.tracker_id == tracker_id,
                lock_table.c.scope == SCOPE,
                lock_table.c.epoch < epoch,
            )
            .values(epoch=epoch, changed_at=database.now)
        ).rowcount
        after = find_row(connection, server, tracker_id)
        if changed != 1 or after is None:
            return False
        was = 0 if before is None else before.epoch
        detail = {"from": was, "to": epoch, "why": why}
        store.history.record(after, "epoch_raised", detail, who=by, within=connection)
        return True
