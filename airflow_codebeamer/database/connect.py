"""Address to engine: where SQLite and PostgreSQL differ, and nowhere else.

SQLite: one file, write-ahead log, every commit on the disk before it counts,
and each write transaction takes the write lock at once (`BEGIN IMMEDIATE`).
The driver's own habit of beginning late is switched off: it reads first and
asks for the write lock afterwards, on data that may be stale by then.

PostgreSQL: READ COMMITTED, which is enough because each decision of ours is
one conditional UPDATE. Limits are set inside the transaction and not on the
session, so that a pooler between us and the server may share sessions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from sqlite3 import Connection as SqliteConnection
from sqlite3 import OperationalError as SqliteOperationalError
from typing import Any

from sqlalchemy import Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, Engine

from airflow_codebeamer.clock import SystemClock
from airflow_codebeamer.errors import ConfigurationError, DatabaseUnsafeError

__all__ = ["Openings", "build_engine", "insert_missing", "openings"]

_LIMITS = (
    "SELECT set_config('synchronous_commit', 'on', true),"
    " set_config('lock_timeout', '{lock}', true),"
    " set_config('statement_timeout', '{statement}', true),"
    " set_config('idle_in_transaction_session_timeout', '{idle}', true)"
)
_PRAGMAS = ("PRAGMA foreign_keys = ON", "PRAGMA fullfsync = ON")
_WAL_PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class Openings:
    """The statements with which a transaction begins, if it writes or only looks."""

    write: tuple[str, ...]
    look: tuple[str, ...]


def openings(address: URL, *, patience: timedelta) -> Openings:
    """Return how transactions on the engine for an address begin.

    No listener does it: with one, every statement would be told to every listener.
    """
    if address.get_backend_name() == "sqlite":
        return Openings(("BEGIN IMMEDIATE",), ("BEGIN",))
    seconds = patience.total_seconds()
    limits = _LIMITS.format(
        lock=f"{round(seconds * 1_000)}ms",
        statement=f"{round(seconds * 3_000)}ms",
        idle=f"{round(seconds * 6_000)}ms",
    )
    return Openings((limits,), ("SET TRANSACTION READ ONLY", limits))


def build_engine(
    address: URL, *, patience: timedelta, only_looks: bool = False
) -> Engine:
    """Return the engine for an address; nothing is dialled yet.

    `patience` is how long a statement waits for somebody else's transaction. On
    SQLite, connections that look only are others than those that write: to change
    one into the other costs more than most statements, because SQLite then compiles
    all of them anew. PostgreSQL is told with each transaction.

    Raises:
        ConfigurationError: the driver is not installed.
    """
    try:
        if address.get_backend_name() == "sqlite":
            return _sqlite_engine(address, patience, only_looks)
        return _pg_engine(address, patience)
    except ImportError:
        raise ConfigurationError(
            "lock store",
            "the PostgreSQL driver is missing; install it with "
            "`pip install 'airflow-provider-codebeamer[postgres]'`",
        ) from None


def insert_missing(connection: Connection, table: Table, **values: Any) -> bool:
    """Insert a row unless one with its key is there; return whether it was missing."""
    if connection.dialect.name == "sqlite":
        result = connection.execute(
            sqlite.insert(table).values(values).on_conflict_do_nothing()
        )
    else:
        result = connection.execute(
            postgresql.insert(table).values(values).on_conflict_do_nothing()
        )
    return result.rowcount == 1


def _sqlite_engine(address: URL, patience: timedelta, only_looks: bool) -> Engine:
    engine = create_engine(
        address,
        connect_args={"timeout": patience.total_seconds()},
        pool_timeout=patience.total_seconds(),
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: SqliteConnection, record: object) -> None:
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        _write_ahead(connection, patience)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA query_only = {int(only_looks)}")

    return engine


def _write_ahead(connection: SqliteConnection, patience: timedelta) -> None:
    # Changing the mode does not wait for others as other statements do.
    clock = SystemClock()
    end = clock.monotonic() + patience.total_seconds()
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except SqliteOperationalError as error:
            if "locked" not in str(error) or clock.monotonic() > end:
                raise
            clock.sleep(_WAL_PAUSE_SECONDS)
    if mode != "wal":
        raise DatabaseUnsafeError(
            f"The lock store cannot keep a write-ahead log here (journal mode {mode}): "
            "put it on a local disk, or use PostgreSQL."
        )


def _pg_engine(address: URL, patience: timedelta) -> Engine:
    seconds = patience.total_seconds()
    wishes = {
        "application_name": "airflow-codebeamer",
        "connect_timeout": max(2, round(seconds)),
        # A network that swallows packets must end in an error, not in a wait.
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": max(5_000, round(seconds * 2_000)),
    }
    given = {k: v for k, v in wishes.items() if k not in address.query}
    return create_engine(
        address,
        connect_args=given,
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_timeout=seconds,
        hide_parameters=True,
    )
