"""Rows that remember that nobody else was in an exclusive role."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, select, update

from airflow_codebeamer.database import Database, insert_missing, membership_table
from airflow_codebeamer.ids import ProjectId, RoleId

__all__ = ["Seat", "Verdicts"]


@dataclass(frozen=True)
class Seat:
    """An account in a role of a project on a server."""

    server: str
    project_id: ProjectId
    role_id: RoleId
    account: str


class Verdicts:
    """When an account was last seen alone in a role, and what was said of it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, seat: Seat, age: timedelta) -> tuple[str, ...] | None:
        """Return the notes of a verdict younger than `age`, or None."""
        oldest = self._database.now - age.total_seconds()
        statement = select(membership_table.c.others).where(
            *_is_seat(seat), membership_table.c.checked_at > oldest
        )
        with self._database.read() as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else tuple(row[0]["notes"])

    def remember(self, seat: Seat, notes: tuple[str, ...]) -> None:
        """Remember that nobody else was in the role just now."""
        said = {"others": [], "notes": list(notes)}
        with self._database.begin() as connection:
            insert_missing(
                connection,
                membership_table,
                server=seat.server,
                project_id=seat.project_id,
                role_id=seat.role_id,
                account=seat.account,
                checked_at=self._database.now,
                others=said,
            )
            connection.execute(
                update(membership_table)
                .where(*_is_seat(seat))
                .values(checked_at=self._database.now, others=said)
            )


def _is_seat(seat: Seat) -> tuple[ColumnElement[bool], ...]:
    return (
        membership_table.c.server == seat.server,
        membership_table.c.project_id == seat.project_id,
        membership_table.c.role_id == seat.role_id,
        membership_table.c.account == seat.account,
    )
