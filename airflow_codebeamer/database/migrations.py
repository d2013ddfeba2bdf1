"""The way from no tables, or older ones, to those of `schema.py`.

Each step is one transaction together with its row in `codebeamer_schema`, so
a step has happened whole or not at all. Two processes may come at once: the
second waits for the first and finds the step done.

A released step is never edited: it is a file of SQL for each kind of store in
`released/`. The last step may be open: it brings the store to `schema.py` as it
is today, and is written out as files when it is released.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from importlib.resources import files

from sqlalchemy import ColumnElement, func, insert, inspect, select, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.schema import CreateColumn

from airflow_codebeamer.database.schema import metadata, schema_table
from airflow_codebeamer.errors import SchemaNewerError, SchemaOutdatedError

__all__ = ["STEPS", "Step", "check_version", "find_version", "migrate"]

Begin = Callable[[], AbstractContextManager[Connection]]


@dataclass(frozen=True)
class Step:
    """One change of the tables: `version` is what the store has afterwards."""

    version: int
    name: str
    apply: Callable[[Connection], None]


def _apply_released(name: str, connection: Connection) -> None:
    """Execute the statements of a released step, which end with `;` and a line."""
    file = files("airflow_codebeamer.database") / "released"
    written = (file / f"{name}.{connection.dialect.name}.sql").read_text()
    for statement in written.split(";\n"):
        if statement.strip():
            connection.exec_driver_sql(statement)


def _add_what_is_missing(connection: Connection) -> None:
    """Bring older tables to those of `schema.py`: new tables, columns, indexes."""
    metadata.create_all(connection)
    look = inspect(connection)
    for table in metadata.sorted_tables:
        found = {column["name"] for column in look.get_columns(table.name)}
        for column in table.columns:
            if column.name not in found:
                written = CreateColumn(column).compile(dialect=connection.dialect)
                connection.exec_driver_sql(
                    f"ALTER TABLE {table.name} ADD COLUMN {written}"
                )
        for index in table.indexes:
            index.create(connection, checkfirst=True)


STEPS: tuple[Step, ...] = (
    Step(1, "first tables", partial(_apply_released, "0001")),
    Step(2, "queues, sets, strategies and escrow", _add_what_is_missing),
)


def find_version(connection: Connection) -> int:
    """Return the version of the store's tables; 0 if there are none."""
    if not inspect(connection).has_table(schema_table.name):
        return 0
    found = connection.scalar(select(func.max(schema_table.c.version)))
    return 0 if found is None else int(found)


def check_version(found: int, steps: Sequence[Step] = STEPS) -> None:
    """Raise if the store is not exactly what this code works with.

    Raises:
        SchemaOutdatedError: steps are pending.
        SchemaNewerError: a newer release was here.
    """
    wanted = steps[-1].version
    if found > wanted:
        raise SchemaNewerError(found, wanted)
    if found < wanted:
        raise SchemaOutdatedError(found, wanted)


def migrate(
    begin: Begin, now: ColumnElement[float], steps: Sequence[Step] = STEPS
) -> list[str]:
    """Apply the steps that are pending; return their names.

    Raises:
        SchemaNewerError: the store is newer than the last step; nothing is done.
    """
    _create_version_table(begin)
    return list(_apply_pending(begin, now, steps))


def _create_version_table(begin: Begin) -> None:
    try:
        with begin() as connection:
            schema_table.create(connection, checkfirst=True)
    except (IntegrityError, ProgrammingError):
        # PostgreSQL: somebody created it between our look and our attempt.
        with begin() as connection:
            schema_table.create(connection, checkfirst=True)


def _apply_pending(
    begin: Begin, now: ColumnElement[float], steps: Sequence[Step]
) -> Iterator[str]:
    for step in steps:
        with begin() as connection:
            _wait_for_others(connection)
            found = find_version(connection)
            if found > steps[-1].version:
                raise SchemaNewerError(found, steps[-1].version)
            if found >= step.version:
                continue
            step.apply(connection)
            connection.execute(
                insert(schema_table).values(
                    version=step.version, name=step.name, applied_at=now
                )
            )
        yield f"{step.version:04d} {step.name}"


def _wait_for_others(connection: Connection) -> None:
    # SQLite's BEGIN IMMEDIATE has waited already.
    if connection.dialect.name == "postgresql":
        connection.execute(
            text(f"LOCK TABLE {schema_table.name} IN SHARE ROW EXCLUSIVE MODE")
        )
