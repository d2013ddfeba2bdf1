"""Stores whose whole content can be taken and put back in a moment."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, insert, select, text
from sqlalchemy.engine import make_url

from airflow_codebeamer.clock import Clock
from airflow_codebeamer.database import Database
from airflow_codebeamer.database.schema import metadata
from airflow_codebeamer.settings import StoreSettings

__all__ = ["PostgresStore", "SqliteStore"]

_INTENTS = (
    "SELECT j.intent FROM codebeamer_journal j JOIN codebeamer_lock l "
    "ON j.scope = l.lineage AND j.epoch = l.epoch "
    "WHERE j.finished_at IS NULL AND j.key = '{role}'"
)
_UNSETTLED = (
    "SELECT 1 FROM codebeamer_journal j JOIN codebeamer_lock l ON j.scope = l.lineage "
    "WHERE j.key = '{role}' AND (j.finished_at IS NULL OR j.outcome LIKE '%unknown%')"
)


class SqliteStore:
    """A store in a file; beside it a connection that looks past our own code."""

    def __init__(self, file: Path, clock: Clock) -> None:
        self.database = Database(StoreSettings(url=f"sqlite:///{file}"), clock=clock)
        self.database.ensure()
        self._connection = sqlite3.connect(file, isolation_level=None)

    def image(self) -> bytes:
        """Return everything in it."""
        image = bytearray(self._connection.serialize())
        # Says "no write-ahead log": an image in memory can have none.
        image[18:20] = b"\x01\x01"
        # Counters of changes, which tell readers to look again.
        image[24:28] = image[40:44] = image[92:96] = bytes(4)
        return bytes(image)

    def restore(self, image: Any) -> None:
        """Put everything back as it was."""
        memory = sqlite3.connect(":memory:")
        memory.deserialize(image)
        memory.backup(self._connection)
        memory.close()

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        """Return the rows that a question finds."""
        return self._connection.execute(question).fetchall()

    def intents(self, role: int) -> list[str]:
        """Return what is about to be sent for a role, under the present epoch."""
        return [row[0] for row in self.ask(_INTENTS.format(role=role))]

    def is_unsettled(self, role: int) -> bool:
        """Return whether nobody knows what the last request did to a role."""
        return bool(self.ask(_UNSETTLED.format(role=role)))

    def close(self) -> None:
        self._connection.close()
        self.database.close()


class PostgresStore:
    """The same on PostgreSQL, row by row."""

    def __init__(self, url: str, clock: Clock) -> None:
        self.database = Database(StoreSettings(url=url), clock=clock)
        self.database.ensure()
        address = make_url(url).set(drivername="postgresql+psycopg2")
        self._engine = create_engine(address, isolation_level="AUTOCOMMIT")
        self._connection = self._engine.connect()

    def image(self) -> dict[str, list[dict[str, Any]]]:
        """Return everything in it."""
        return {
            table.name: [
                dict(row)
                for row in self._connection.execute(select(table)).mappings().all()
            ]
            for table in metadata.sorted_tables
        }

    def restore(self, image: Any) -> None:
        """Put everything back as it was; numbers go on growing."""
        names = ", ".join(table.name for table in metadata.sorted_tables)
        self._connection.execute(text(f"TRUNCATE {names}"))
        for table in metadata.sorted_tables:
            if image[table.name]:
                self._connection.execute(insert(table), image[table.name])

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        """Return the rows that a question finds."""
        return [tuple(row) for row in self._connection.execute(text(question))]

    def intents(self, role: int) -> list[str]:
        """Return what is about to be sent for a role, under the present epoch."""
        return [str(row[0]) for row in self.ask(_INTENTS.format(role=role))]

    def is_unsettled(self, role: int) -> bool:
        """Return whether nobody knows what the last request did to a role."""
        return bool(self.ask(_UNSETTLED.format(role=role)))

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()
        self.database.close()
