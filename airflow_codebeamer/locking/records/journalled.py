"""What the store's journal says of a lock's roles: reads only."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from airflow_codebeamer.database import Database, role_journal_table
from airflow_codebeamer.ids import Lineage, RoleId
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.records.rows import entry_from_row
from airflow_codebeamer.locking.roles import Phase, RoleEntry

__all__ = ["list_entries", "list_owed"]

_ENTRIES = (
    select(role_journal_table)
    .where(role_journal_table.c.lineage == bindparam("of_lineage"))
    .order_by(role_journal_table.c.role_id)
)


def list_entries(
    database: Database, lineage: Lineage | None
) -> dict[RoleId, RoleEntry]:
    """Return what is journalled of a lineage's roles, by role number."""
    if lineage is None:
        return {}
    with database.read() as connection:
        rows = connection.execute(_ENTRIES, {"of_lineage": lineage}).mappings().all()
    entries = [entry_from_row(row) for row in rows]
    return {entry.role_id: entry for entry in entries}


def list_owed(database: Database, lock: Lock) -> list[RoleEntry]:
    """Return the roles from which a lock took rights that are not back yet."""
    if not lock.state.is_restricted:
        return []
    return [
        entry
        for entry in list_entries(database, lock.lineage).values()
        if entry.is_owed and entry.phase is not Phase.RESTORED
    ]
