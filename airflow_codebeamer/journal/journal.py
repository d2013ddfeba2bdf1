"""What we were about to do, written before we did it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Executable,
    RowMapping,
    Update,
    bindparam,
    insert,
    select,
    update,
)
from sqlalchemy.engine import Connection

from airflow_codebeamer.database import Database, journal_table, refused
from airflow_codebeamer.journal.entry import JSON, Entry

__all__ = ["Journal"]

# SQLite allows 32,766 parameters in a statement, older builds 999.
_CHUNK = 500

_TO_FINISH = (
    select(journal_table)
    .where(journal_table.c.number.in_(bindparam("numbers", expanding=True)))
    .order_by(journal_table.c.number)
    .with_for_update()
)


class Journal:
    """Intents with later outcomes, only ever added to.

    An entry is on the disk when `begin` returns, so that whoever comes after a
    crash knows what may have happened. With `within` it joins the caller's
    transaction instead, and counts when that one is committed: so an intent
    and the check that we may act at all are one step.

    An outcome is written once. To finish an entry again with the same outcome
    is quiet (the first answer may have been lost); another outcome is refused.

    Not promised: secrecy. Intents and outcomes are stored as they are given;
    callers keep passwords and tokens out of them.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(
        self,
        scope: str,
        kind: str,
        key: str,
        intent: JSON,
        *,
        epoch: int = 0,
        within: Connection | None = None,
    ) -> int:
        """Write one intent down; return its number.

        Raises:
            DatabaseError: it was not written, so do not act.
        """
        entries = [(kind, key, intent)]
        return self.begin_many(scope, entries, epoch=epoch, within=within)[0]

    def begin_many(
        self,
        scope: str,
        entries: Sequence[tuple[str, str, JSON]],
        *,
        epoch: int = 0,
        within: Connection | None = None,
    ) -> list[int]:
        """Write `(kind, key, intent)` down, all or none; return the numbers in order.

        Raises:
            DatabaseError: nothing was written, so do not act.
        """
        if not entries:
            return []
        rows = [
            {"scope": scope, "epoch": epoch, "kind": kind, "key": key, "intent": intent}
            for kind, key, intent in entries
        ]
        with self._transaction(within) as connection:
            return list(connection.scalars(_addition(self._database.now), rows))

    def finish(
        self, number: int, outcome: JSON, *, within: Connection | None = None
    ) -> None:
        """Write down what became of an intent.

        Raises:
            DatabaseError: there is no such entry, or it has another outcome.
        """
        self.finish_many([(number, outcome)], within=within)

    def finish_many(
        self,
        outcomes: Sequence[tuple[int, JSON]],
        *,
        within: Connection | None = None,
    ) -> None:
        """Write `(number, outcome)` down, all or none.

        Raises:
            DatabaseError: as with `finish`; nothing was written.
        """
        if not outcomes:
            return
        with self._transaction(within) as connection:
            found = _select_for_update(connection, [number for number, _ in outcomes])
            open_ones = [
                {"entry": number, "outcome": outcome}
                for number, outcome in outcomes
                if _is_to_be_written(found.get(number), number, outcome)
            ]
            if open_ones:
                connection.execute(_finish(self._database.now), open_ones)

    def list_entries(
        self,
        *scopes: str,
        kind: str | Sequence[str] | None = None,
        open_only: bool = False,
    ) -> list[Entry]:
        """Return the entries of scopes in the order in which they were begun.

        Of every kind, of one, or of several.

        Raises:
            DatabaseError: the store cannot be read.
        """
        found: list[Entry] = []
        statement = _entries(of_kind=kind is not None, open_only=open_only)
        with self._database.read() as connection:
            for start in range(0, len(scopes), _CHUNK):
                which: dict[str, Any] = {"scopes": scopes[start : start + _CHUNK]}
                if kind is not None:
                    which["kinds"] = [kind] if isinstance(kind, str) else kind
                found += map(_entry, connection.execute(statement, which).mappings())
        return sorted(found, key=lambda entry: entry.number)

    @contextmanager
    def _transaction(self, within: Connection | None) -> Iterator[Connection]:
        if within is not None:
            yield within
        else:
            with self._database.begin() as connection:
                yield connection


# Statements are built once: to build one takes several times as long as to execute it.


@lru_cache(maxsize=8)
def _addition(now: ColumnElement[float]) -> Executable:
    """Return the insertion of entries, for a store with that time."""
    return (
        insert(journal_table)
        .values(begun_at=now)
        .returning(journal_table.c.number, sort_by_parameter_order=True)
    )


@lru_cache(maxsize=8)
def _finish(now: ColumnElement[float]) -> Update:
    """Return the way in which an outcome is written, for a store with that time."""
    return (
        update(journal_table)
        .where(journal_table.c.number == bindparam("entry"))
        .values(outcome=bindparam("outcome"), finished_at=now)
    )


@lru_cache(maxsize=4)
def _entries(*, of_kind: bool, open_only: bool) -> Executable:
    """Return the question for the entries of scopes."""
    statement = select(journal_table).where(
        journal_table.c.scope.in_(bindparam("scopes", expanding=True))
    )
    if of_kind:
        statement = statement.where(
            journal_table.c.kind.in_(bindparam("kinds", expanding=True))
        )
    if open_only:
        statement = statement.where(journal_table.c.finished_at.is_(None))
    return statement


def _select_for_update(
    connection: Connection, numbers: Sequence[int]
) -> dict[int, Entry]:
    found: dict[int, Entry] = {}
    for start in range(0, len(numbers), _CHUNK):
        which = {"numbers": numbers[start : start + _CHUNK]}
        entries = map(_entry, connection.execute(_TO_FINISH, which).mappings())
        found.update((entry.number, entry) for entry in entries)
    return found


def _is_to_be_written(entry: Entry | None, number: int, outcome: JSON) -> bool:
    if entry is None:
        raise refused(f"There is no journal entry {number}: nothing was begun.")
    if not entry.is_open and entry.outcome != outcome:
        raise refused(
            f"Journal entry {number} ({entry.kind} {entry.key}) has another outcome "
            "already: somebody else finished it, so look before you go on."
        )
    return entry.is_open


def _entry(row: RowMapping) -> Entry:
    return Entry(
        number=row["number"],
        scope=row["scope"],
        kind=row["kind"],
        key=row["key"],
        epoch=row["epoch"],
        intent=row["intent"],
        begun_at=datetime.fromtimestamp(row["begun_at"], UTC),
        outcome=row["outcome"],
        finished_at=None
        if row["finished_at"] is None
        else datetime.fromtimestamp(row["finished_at"], UTC),
    )
