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

from datetime import timedelta
from sqlite3 import Connection as SqliteConnection
from sqlite3 import OperationalError as SqliteOperationalError
from typing import Any

from sqlalchemy import Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, Engine

from airflow_codebeamer.clock import SystemClock
from airflow_codebeamer.errors import ConfigurationError, DatabaseUnsafeError

__all__ = ["READ_ONLY", "build_engine", "insert_missing"]

#: Execution option of a transaction that only looks.
READ_ONLY = "codebeamer_read_only"

_LIMITS = (
    "SELECT set_config('synchronous_commit', 'on', true),"
    " set_config('lock_timeout', '{lock}', true),"
    " set_config('statement_timeout', '{statement}', true),"
    " set_config('idle_in_transaction_session_timeout', '{idle}', true)"
)
_PRAGMAS = ("PRAGMA foreign_keys = ON", "PRAGMA fullfsync = ON")
_WAL_PAUSE_SECONDS = 0.05


def build_engine(address: URL, *, patience: timedelta) -> Engine:
    """Return the engine for an address; nothing is dialled yet.

    `patience` is how long a statement waits for somebody else's transaction.

    Raises:
        ConfigurationError: the driver is not installed.
    """
    build = _sqlite_engine if address.get_backend_name() == "sqlite" else _pg_engine
    try:
        return build(address, patience)
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


def _sqlite_engine(address: URL, patience: timedelta) -> Engine:
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

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        only_looks = connection.get_execution_options().get(READ_ONLY, False)
        connection.exec_driver_sql(f"PRAGMA query_only = {int(only_looks)}")
        connection.exec_driver_sql("BEGIN" if only_looks else "BEGIN IMMEDIATE")

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
    engine = create_engine(
        address,
        connect_args=given,
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_timeout=seconds,
        hide_parameters=True,
    )
    limits = _LIMITS.format(
        lock=f"{round(seconds * 1_000)}ms",
        statement=f"{round(seconds * 3_000)}ms",
        idle=f"{round(seconds * 6_000)}ms",
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get(READ_ONLY, False):
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        connection.exec_driver_sql(limits)

    return engine
