"""A real Airflow in a folder of its own, for a demonstration or a test."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from airflow_codebeamer.clock import Clock, SystemClock
from airflow_codebeamer.demo.environment import (
    Ports,
    airflow_environment,
    clean_environment,
)
from airflow_codebeamer.demo.process import Component
from airflow_codebeamer.demo.rest import AirflowRest
from airflow_codebeamer.errors import DemoError

__all__ = ["COMPONENTS", "LocalAirflow"]

#: In the order in which they end well: nothing new is begun, then nobody asks.
COMPONENTS = ("scheduler", "dag-processor", "triggerer", "api-server")

_HEALTH_NAMES = {
    "scheduler": "scheduler",
    "dag-processor": "dag_processor",
    "triggerer": "triggerer",
    "api-server": "metadatabase",
}
_LOOK_AGAIN_SECONDS = 0.25
_MIGRATE_TIMEOUT_SECONDS = 120.0
_START_TIMEOUT_SECONDS = 120.0
_STOP_GRACE_SECONDS = 8.0


class LocalAirflow:
    """API server, scheduler, DAG processor and triggerer as real processes.

    Everything is in `home`: metadata database (SQLite unless addresses are
    given), copies of the DAG files, logs. `variables` are added to the
    environment of every process: connections and settings. Ports are free ones,
    the API's too if `api_port` is 0.

    Not promised: when this process is killed, the Airflow it started lives on;
    SQLite stands one run at a time, not several triggered at once.

    Example:
        >>> with LocalAirflow(home, dag_files=[Path("dags/mine.py")]) as airflow:
        ...     airflow.rest.unpause("mine")
        ...     run_id = airflow.rest.trigger("mine", {})
        ...     airflow.rest.wait_for_run("mine", run_id).state
        'success'
    """

    def __init__(
        self,
        home: Path,
        *,
        dag_files: Iterable[Path] = (),
        variables: Mapping[str, str] | None = None,
        database_url: str | None = None,
        database_url_async: str | None = None,
        api_port: int = 0,
        clock: Clock | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.home = home
        self.login = "admin"
        self.password = secrets.token_urlsafe(12)
        self._dag_files = tuple(dag_files)
        self._variables = dict(variables or {})
        self._database_url = database_url
        self._database_url_async = database_url_async
        self._api_port = api_port
        self._clock = clock or SystemClock()
        self._say = say or (lambda line: None)
        self._components: dict[str, Component] = {}
        self._environment: dict[str, str] = {}
        self._rest: AirflowRest | None = None

    def __enter__(self) -> LocalAirflow:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def rest(self) -> AirflowRest:
        """The REST API of this Airflow, logged in."""
        if self._rest is None:
            raise DemoError("This Airflow was not started; call start() first.")
        return self._rest

    @property
    def url(self) -> str:
        """The address of the UI and the REST API."""
        return self.rest.url

    @property
    def logs(self) -> Path:
        """The folder with a log file for each component, and those of the tasks."""
        return self.home / "logs"

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment of every process; holds secrets."""
        return self._environment

    def start(self) -> None:
        """Lay out the home, migrate the database, start all, wait until healthy.

        Raises:
            DemoError: the database was not migrated or a component ended or did
                not become healthy; carries the end of its log.
        """
        self._lay_out()
        self._say("creating the tables of Airflow")
        self._migrate()
        self._say("starting api-server, scheduler, dag-processor, triggerer")
        for component in self._components.values():
            component.start()
        self.wait_until_healthy()

    def wait_until_healthy(
        self, *, timeout_seconds: float = _START_TIMEOUT_SECONDS
    ) -> None:
        """Wait until every component reports a fresh heartbeat.

        Raises:
            DemoError: a component ended, or the time is over.
        """
        until = self._clock.monotonic() + timeout_seconds
        missing = set(COMPONENTS)
        while missing:
            for component in self._components.values():
                if not component.is_running:
                    raise self._failure(component, "ended by itself")
            health = self.rest.find_health() or {}
            missing = {
                name
                for name in COMPONENTS
                if health.get(_HEALTH_NAMES[name]) != "healthy"
            }
            if missing and self._clock.monotonic() >= until:
                late = self._components[min(missing)]
                raise self._failure(late, f"not healthy in {timeout_seconds:.0f} s")
            if missing:
                self._clock.sleep(_LOOK_AGAIN_SECONDS)

    def wait_for_dag(self, dag_id: str, *, timeout_seconds: float = 60.0) -> None:
        """Wait until a DAG file has been read.

        Raises:
            DemoError: the time is over; carries the import errors.
        """
        until = self._clock.monotonic() + timeout_seconds
        while dag_id not in self.rest.list_dags():
            problems = self.rest.list_import_errors()
            if problems or self._clock.monotonic() >= until:
                found = "; ".join(problems) or "no import error either"
                raise DemoError(f"Airflow knows no DAG {dag_id}: {found}")
            self._clock.sleep(_LOOK_AGAIN_SECONDS)

    def component(self, name: str) -> Component:
        """Return one of the four components, to stop, kill or start it again."""
        return self._components[name]

    @property
    def components(self) -> tuple[Component, ...]:
        """All four, in the order in which they are stopped."""
        return tuple(self._components.values())

    def list_pids(self) -> list[int]:
        """List every living process of this Airflow, orphans included."""
        return [pid for part in self._components.values() for pid in part.list_pids()]

    def stop(self) -> None:
        """End everything; leaves no process behind. Does nothing when stopped."""
        if self._rest is not None:
            self._rest.close()
        until = self._clock.monotonic() + _STOP_GRACE_SECONDS
        try:
            # Once each: a second signal tells the scheduler to drop its tasks.
            for component in self._components.values():
                component.interrupt()
            for component in self._components.values():
                component.wait(until - self._clock.monotonic())
        finally:
            for component in self._components.values():
                component.end()

    def last_lines(self, count: int = 12) -> str:
        """Return the end of each component's log, for a person."""
        return "\n".join(
            f"--- {component.log}\n" + "\n".join(component.last_lines(count))
            for component in self._components.values()
        )

    def _lay_out(self) -> None:
        for folder in ("dags", "plugins", "logs"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        for file in self._dag_files:
            shutil.copy(file, self.home / "dags" / file.name)
        passwords = self.home / "passwords.json"
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({self.login: self.password}), "utf-8")
        api, *others = _free_ports(3)
        ports = Ports(self._api_port or api, *others)
        self._rest = AirflowRest(
            f"http://127.0.0.1:{ports.api}",
            login=self.login,
            password=self.password,
            clock=self._clock,
        )
        self._environment = {
            **clean_environment(os.environ),
            **airflow_environment(
                self.home,
                ports,
                database_url=self._database_url,
                database_url_async=self._database_url_async,
            ),
            **self._variables,
        }
        self._components = {
            name: Component(
                name,
                [sys.executable, "-m", "airflow", name],
                environment=self._environment,
                folder=self.home,
                log=self.logs / f"{name}.log",
                clock=self._clock,
            )
            for name in COMPONENTS
        }

    def _migrate(self) -> None:
        log = self.logs / "db-migrate.log"
        with log.open("wb") as file:
            done = subprocess.run(
                [sys.executable, "-m", "airflow", "db", "migrate"],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=self.home,
                timeout=_MIGRATE_TIMEOUT_SECONDS,
                check=False,
            )
        if done.returncode != 0:
            lines = log.read_text("utf-8", errors="replace").splitlines()[-15:]
            raise DemoError(
                "airflow db migrate failed, its log ends with:\n" + "\n".join(lines)
            )

    def _failure(self, component: Component, what: str) -> DemoError:
        end = "\n".join(component.last_lines(15))
        return DemoError(f"{component.name} {what}; {component.log} ends with:\n{end}")


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        # All are held at once, else the same port could come twice.
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [int(listener.getsockname()[1]) for listener in sockets]
