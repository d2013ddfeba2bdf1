"""The lock store: opened when first used, refused where it would not be safe."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property

from sqlalchemy import ColumnElement, insert, select, text, update
from sqlalchemy.engine import URL, Connection, Engine

from airflow_codebeamer.clock import Clock, SystemClock
from airflow_codebeamer.database.address import masked, store_address
from airflow_codebeamer.database.connect import Openings, build_engine, openings
from airflow_codebeamer.database.durability import (
    durability_findings,
    refuse_forgetful,
)
from airflow_codebeamer.database.failures import refused, told_plainly
from airflow_codebeamer.database.migrations import (
    STEPS,
    Step,
    check_version,
    find_version,
    migrate,
)
from airflow_codebeamer.database.place import (
    Machine,
    read_mounts,
    read_only,
    refuse_network_share,
    refuse_unwritable,
    store_file,
)
from airflow_codebeamer.database.schema import host_table
from airflow_codebeamer.database.storetime import time_of
from airflow_codebeamer.errors import (
    DatabaseUnsafeError,
    SchemaOutdatedError,
)
from airflow_codebeamer.settings import StoreSettings

__all__ = ["Database"]

_PATIENCE = timedelta(seconds=10)


class Database:
    """The tables of the lock store, and transactions on them.

    Nothing is opened before the first use. The first `begin`, `read`, `ensure`
    or `migrate` refuses a store that could not keep a promise, and creates or
    migrates its tables. May be shared by threads, and survives a fork: the
    child opens connections of its own.

    Store time (`now`) is the database's own clock, evaluated inside the
    statement; with a `clock` it is that clock's time, for tests.

    Not promised: that two machines of one name are told apart, or that a share
    whose type the system hides is found.

    Example:
        >>> with database.begin() as connection:
        ...     connection.execute(update(lock_table).values(changed_at=database.now))
    """

    def __init__(
        self,
        settings: StoreSettings,
        *,
        clock: Clock | None = None,
        patience: timedelta = _PATIENCE,
        machine: Machine | None = None,
        mounts: Callable[[], str] = read_mounts,
        steps: Sequence[Step] = STEPS,
    ) -> None:
        self._settings = settings
        self._patience = patience
        self._machine = machine
        self._mounts = mounts
        self._steps = tuple(steps)
        self._guard = threading.Lock()
        self._mine = threading.local()
        self._engines: dict[tuple[int, bool], Engine] = {}
        self._ready_in: int | None = None
        #: Store time as seconds since 1970, an expression for statements.
        self.now: ColumnElement[float] = time_of(clock)

    @cached_property
    def address(self) -> str:
        """The store's address without its password, for messages.

        Raises:
            ConfigurationError: the address cannot be read.
        """
        return masked(self._url)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open one write transaction; commit at the end, roll back on an error.

        On SQLite it holds the only write lock from its first moment, so keep it
        short, and do not open another one inside it: pass the connection on.

        Raises:
            DatabaseError: the store cannot be used, or a statement failed; the
                driver's error is the cause.
        """
        if getattr(self._mine, "writes", False):
            raise refused(
                "A write transaction of this thread is open already: pass its "
                "connection on instead of beginning a second one."
            )
        self.ensure()
        self._mine.writes = True
        try:
            with told_plainly(self.address), self._transaction() as connection:
                yield connection
        finally:
            self._mine.writes = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open one transaction that only looks; it waits for no writer.

        Raises:
            DatabaseError: as with `begin`, and for any attempt to write.
        """
        self.ensure()
        with told_plainly(self.address), self._transaction(looks=True) as connection:
            yield connection

    def ensure(self) -> None:
        """Make the store ready for this code: refuse, create, migrate.

        Costs nothing after the first time.

        Raises:
            ConfigurationError: the address or the driver is not usable.
            SchemaNewerError: a newer release has been here.
            DatabaseUnsafeError: read-only, a network share, a second machine, or a
                server that can forget what it has committed.
            DatabaseError: it cannot be reached.
        """
        if self._ready_in != os.getpid():
            self._prepare()

    def migrate(self) -> list[str]:
        """Make the store ready; return the names of the steps that were applied.

        Raises:
            DatabaseError: as with `ensure`.
        """
        return self._prepare()

    def check(self) -> list[str]:
        """Return what there is to say about the store, a line each; change nothing.

        Raises:
            SchemaOutdatedError: there are no tables yet, or older ones.
            SchemaNewerError: a newer release has been here.
            DatabaseUnsafeError: read-only, a network share, a second machine, or a
                server that can forget what it has committed.
            DatabaseError: it cannot be reached.
        """
        self._refuse_place()
        wanted = self._steps[-1].version
        if self._is_file and not store_file(self._url).exists():
            raise SchemaOutdatedError(0, wanted)
        with told_plainly(self.address), self._transaction() as connection:
            found = self._look(connection)
            check_version(found, self._steps)
            return [
                f"store: {self.address}",
                f"tables: version {found}, as this code needs",
                *(
                    self._sqlite_findings(connection)
                    if self._is_file
                    else durability_findings(connection)
                ),
                _clock_finding(connection),
            ]

    def close(self) -> None:
        """Close every connection; the next use opens new ones."""
        with self._guard:
            self._ready_in = None
            mine = [key for key in self._engines if key[0] == os.getpid()]
            engines = [self._engines.pop(key) for key in mine]
        for engine in engines:
            engine.dispose()

    @cached_property
    def _url(self) -> URL:
        return store_address(self._settings.url)

    @cached_property
    def _openings(self) -> Openings:
        return openings(self._url, patience=self._patience)

    @property
    def _is_file(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @property
    def _here(self) -> Machine:
        return self._machine or Machine.here()

    def _engine(self, looks: bool) -> Engine:
        # Engines of a parent process are kept and never touched: to close its
        # connections from here would close them for the parent as well.
        key = os.getpid(), looks and self._is_file
        engine = self._engines.get(key)
        if engine is None:
            built = build_engine(self._url, patience=self._patience, only_looks=key[1])
            engine = self._engines.setdefault(key, built)
        return engine

    @contextmanager
    def _transaction(self, *, looks: bool = False) -> Iterator[Connection]:
        statements = self._openings.look if looks else self._openings.write
        with self._engine(looks).connect() as connection, connection.begin():
            for statement in statements:
                connection.exec_driver_sql(statement)
            yield connection

    def _prepare(self) -> list[str]:
        with self._guard, told_plainly(self.address):
            self._refuse_place()
            with self._transaction() as connection:
                found = self._look(connection)
            applied = []
            if found != self._steps[-1].version:
                applied = migrate(self._transaction, self.now, self._steps)
            if self._is_file:
                self._move_in()
            self._ready_in = os.getpid()
            return applied

    def _refuse_place(self) -> None:
        if not self._is_file:
            return
        refuse_unwritable(self._url)
        if not self._settings.allow_network_share:
            refuse_network_share(self._url, self._mounts())

    def _look(self, connection: Connection) -> int:
        if not self._is_file:
            if _is_standby(connection):
                raise read_only(self.address)
            refuse_forgetful(connection, self.address)
            return find_version(connection)
        found = find_version(connection)
        if found:
            self._refuse_machine(connection)
        return found

    def _refuse_machine(self, connection: Connection) -> None:
        known = _machines(connection)
        if known and not any(self._here.is_same(machine) for machine in known):
            raise DatabaseUnsafeError(
                f"The lock store {store_file(self._url)} belongs to machine "
                f"{known[0].name}, and this is {self._here.name}: SQLite serves one "
                "machine, use PostgreSQL for several. If the file moved here for "
                f"good, delete the row of its table {host_table.name}."
            )

    def _move_in(self) -> None:
        here = self._here
        with self._transaction() as connection:
            known = _machines(connection)
            if not known:
                connection.execute(
                    insert(host_table).values(
                        name=here.name, boot=here.boot, since=self.now
                    )
                )
            self._refuse_machine(connection)
            if any(m.name == here.name and m.boot != here.boot for m in known):
                connection.execute(
                    update(host_table)
                    .where(host_table.c.name == here.name)
                    .values(boot=here.boot)
                )

    def _sqlite_findings(self, connection: Connection) -> list[str]:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
        level = connection.exec_driver_sql("PRAGMA synchronous").scalar_one()
        owner = ", ".join(machine.name for machine in _machines(connection))
        return [
            f"journal mode: {mode}, synchronous: {'FULL' if level == 2 else level}",
            f"host: {owner or self._here.name} (SQLite serves one machine only)",
            "place: on a local disk"
            if self._mounts()
            else "place: not checked, this system does not tell what is mounted",
        ]


def _machines(connection: Connection) -> list[Machine]:
    rows = connection.execute(select(host_table.c.name, host_table.c.boot))
    return [Machine(name=row.name, boot=row.boot) for row in rows]


def _is_standby(connection: Connection) -> bool:
    question = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')"
    return bool(connection.scalar(text(f"{question} = 'on'")))


def _clock_finding(connection: Connection) -> str:
    store = connection.scalar(select(time_of(None))) or 0.0
    ahead = store - SystemClock().now().timestamp()
    return f"clock: {ahead:+.1f} s against this machine's"
