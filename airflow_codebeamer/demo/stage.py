"""Everything that the demonstration needs, put up in one folder and taken down."""

from __future__ import annotations

import json
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from pydantic import SecretStr

import airflow_codebeamer
from airflow_codebeamer.client import Client
from airflow_codebeamer.clock import Clock, SystemClock
from airflow_codebeamer.demo.environment import codebeamer_connection
from airflow_codebeamer.demo.home import LocalAirflow
from airflow_codebeamer.demo.postgres import EmbeddedPostgres
from airflow_codebeamer.emulator import DEMO_TRACKER_ID, Emulator, demo_world
from airflow_codebeamer.errors import DemoError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Lock, LockState
from airflow_codebeamer.settings import ServerSettings, StoreSettings
from airflow_codebeamer.wiring import open_store

__all__ = [
    "EXCLUSIVE_ROLE",
    "GENERATOR_DAG",
    "Stage",
    "dag_files",
    "ended_by_signals",
]

GENERATOR_DAG = "codebeamer_generator"

#: The service account of the demo world, and the only role that it has.
EXCLUSIVE_ROLE = "Generator"
_ACCOUNT = "generator"


class Stage:
    """The emulator with its demo world, a lock store, and a real Airflow.

    The emulator answers without a throttle, and the connection asks for no pace
    of its own, so that nobody waits. With `postgres` Airflow's tables and the
    locks are in an embedded PostgreSQL, else in SQLite files.

    Not promised: anything after it was left; `folder` is its caller's to remove.
    """

    def __init__(
        self,
        folder: Path,
        *,
        latency_seconds: float = 0.0,
        postgres: bool = False,
        dag_files: tuple[Path, ...] | None = None,
        variables: dict[str, str] | None = None,
        ports: tuple[int, int] = (0, 0),
        clock: Clock | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.folder = folder
        self.tracker_id = TrackerId(DEMO_TRACKER_ID)
        # A token, because Airflow hides a password everywhere in its logs, and
        # this account's is its name, which is a word of every second line.
        self._token = secrets.token_hex(16)
        self.emulator = Emulator(
            world=_world_with(self._token),
            throttle="off",
            latency_seconds=latency_seconds,
            port=ports[1],
        )
        self._api_port = ports[0]
        self._postgres = postgres
        self._dag_files = dag_files
        self._variables = dict(variables or {})
        self._clock = clock or SystemClock()
        self._say = say or (lambda line: None)
        self._stack = ExitStack()
        self._store: StoreSettings | None = None
        self._airflow: LocalAirflow | None = None

    def __enter__(self) -> Stage:
        try:
            self._put_up()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def airflow(self) -> LocalAirflow:
        """The Airflow of this stage."""
        if self._airflow is None:
            raise DemoError("The stage is not up; use it in a with block.")
        return self._airflow

    def client_of(self, login: str) -> Client:
        """Return a client for a person of the demo world; close it when done."""
        return Client(
            ServerSettings(
                url=self.emulator.url,
                login=login,
                password=SecretStr(login),
                requests_per_second=None,
                requests_per_minute=None,
            ),
            clock=self._clock,
        )

    def connection(self) -> dict[str, Any]:
        """Return the connection that Airflow gets; holds a secret."""
        return codebeamer_connection(
            self.emulator.url,
            login=_ACCOUNT,
            token=self._token,
            exclusive_role=EXCLUSIVE_ROLE,
            requests_per_second="off",
            requests_per_minute="off",
        )

    def find_lock(self) -> Lock | None:
        """Return the lock on the demo tracker, None while nobody holds it."""
        if self._store is None:
            return None
        with open_store(self._store) as store:
            lock = store.status.find(self._server, self.tracker_id)
        return None if lock is None or lock.state is LockState.FREE else lock

    def permissions(self) -> str:
        """Return the tracker's permissions as text, to be compared byte by byte."""
        return self.emulator.permissions(self.tracker_id)

    def items(self) -> list[dict[str, Any]]:
        """Return the tracker's items in outline order."""
        return self.emulator.items(self.tracker_id)

    @property
    def _server(self) -> str:
        url = self.emulator.url
        return ServerSettings(url=url, login=_ACCOUNT, password=SecretStr("-")).base

    def _put_up(self) -> None:
        self._stack.enter_context(self.emulator)
        self._say(f"Codebeamer (emulated) is at {self.emulator.url}")
        addresses, store = self._databases()
        self._store = StoreSettings(url=SecretStr(store))
        self._airflow = LocalAirflow(
            self.folder / "airflow",
            dag_files=dag_files() if self._dag_files is None else self._dag_files,
            variables={
                "AIRFLOW_CONN_CODEBEAMER_DEFAULT": json.dumps(self.connection()),
                "AIRFLOW__CODEBEAMER__LOCK_STORE": store,
                **self._variables,
            },
            api_port=self._api_port,
            clock=self._clock,
            say=self._say,
            **addresses,
        )
        self._stack.enter_context(self._airflow)
        self._say(f"Airflow is up at {self._airflow.url}")

    def _databases(self) -> tuple[dict[str, str], str]:
        """Return the addresses for Airflow, and that of the lock store."""
        if not self._postgres:
            return {}, f"sqlite:///{self.folder / 'locks.db'}"
        server = self._stack.enter_context(EmbeddedPostgres())
        for name in ("airflow", "locks"):
            server.create_database(name)
        addresses = {
            "database_url": server.url("airflow"),
            "database_url_async": server.url("airflow", "asyncpg"),
        }
        return addresses, server.url("locks")


def _world_with(token: str) -> dict[str, Any]:
    world = demo_world()
    for user in world["users"]:
        if user["name"] == _ACCOUNT:
            user["token"] = token
    return world


def dag_files() -> tuple[Path, ...]:
    """Return the DAG files of the checkout that this package is run from.

    Raises:
        DemoError: this is an installed package, which has no DAG files beside it.
    """
    folder = Path(airflow_codebeamer.__file__).parents[1] / "dags"
    found = tuple(sorted(folder.glob("codebeamer_*.py")))
    if not found:
        raise DemoError(
            f"There are no DAG files in {folder}; run the demonstration in a checkout, "
            "by make demo."
        )
    return found


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that everything is taken down."""

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
