"""The site of the matrix: one Airflow, one emulator, a tracker for each row."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import SecretStr

from airflow_codebeamer.demo import AirflowRest, EmbeddedPostgres, LocalAirflow
from airflow_codebeamer.emulator import (
    ALL_PERMISSIONS,
    READ_ONLY,
    Emulator,
    WorldBuilder,
)
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.settings import (
    LockSettings,
    ServerSettings,
    Settings,
    StoreSettings,
)
from airflow_codebeamer.wiring import Codebeamer, connect
from tests.airflow.matrix.row import LEASE_SECONDS, Row

__all__ = ["HEARTBEAT_TIMEOUT_SECONDS", "TIMES", "Plot", "Site"]

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
ROLE = "Generator"

#: The timing of locks in the matrix, in seconds; production's is ten times slower.
TIMES = {"ttl": 12, "beat": 3, "margin": 3, "lock_delay": 4, "poll": 1}
HEARTBEAT_TIMEOUT_SECONDS = 20

_DEVELOPER = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 17, 19, 21, 22, 25)


@dataclass(frozen=True)
class Plot:
    """A row's own ground: project, account and tracker."""

    account: str
    token: str
    tracker_id: TrackerId

    @property
    def conn_id(self) -> str:
        """The Airflow connection of this plot."""
        return f"cb_{self.account}"


class Site:
    """Everything that the rows share, put up in one folder and taken down.

    The lock store has a PostgreSQL of its own, so that either can be hurt alone.
    """

    def __init__(
        self,
        folder: Path,
        rows: Iterable[Row],
        *,
        janitor: bool = True,
    ) -> None:
        self.folder = folder
        self.rows = tuple(rows)
        self.plots: dict[str, Plot] = {}
        #: How long a server or a store is away in the rows about that.
        self.away_seconds = 20.0
        self._janitor = janitor
        self._stack = ExitStack()
        self.emulator = Emulator(world=self._world(), latency_seconds=0.005)
        self.store_server = EmbeddedPostgres()
        self.airflow_server = EmbeddedPostgres()
        self.store_url = ""
        self.airflow: LocalAirflow

    def __enter__(self) -> Site:
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

    def rest(self) -> AirflowRest:
        """Return a connection to Airflow of one's own; close it when done."""
        airflow = self.airflow
        return AirflowRest(airflow.url, login=airflow.login, password=airflow.password)

    def codebeamer(self, plot: Plot) -> Codebeamer:
        """Return our engines under a plot's account, for whoever is not Airflow."""
        return connect(
            Settings(
                server=ServerSettings(
                    url=self.emulator.url,
                    login=plot.account,
                    token=SecretStr(plot.token),
                    requests_per_second=None,
                    requests_per_minute=None,
                    exclusive_role=ROLE,
                ),
                store=StoreSettings(url=SecretStr(self.store_url)),
                lock=LockSettings.model_validate(
                    {
                        "bridge": timedelta(seconds=LEASE_SECONDS),
                        **{k: timedelta(seconds=v) for k, v in TIMES.items()},
                    }
                ),
            )
        )

    def recover(self, plot: Plot) -> dict[str, Any]:
        """Run `airflow-codebeamer recover` for a tracker, as a timer would."""
        timing = ",".join(f"{name}={value}s" for name, value in TIMES.items())
        done = subprocess.run(
            [
                *(sys.executable, "-m", "airflow_codebeamer.cli", "recover"),
                *(str(plot.tracker_id), "--json"),
            ],
            env={
                "PYTHONPATH": str(REPOSITORY),
                "CODEBEAMER_URL": self.emulator.url,
                "CODEBEAMER_USER": plot.account,
                "CODEBEAMER_PASSWORD": plot.account,
                "CODEBEAMER_LOCK_STORE": self.store_url,
                "CODEBEAMER_EXCLUSIVE_ROLE": ROLE,
                "CODEBEAMER_REQUESTS_PER_SECOND": "0",
                "CODEBEAMER_REQUESTS_PER_MINUTE": "0",
                "CODEBEAMER_LOCK_TIMING": f"bridge={LEASE_SECONDS}s,{timing}",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        try:
            found: dict[str, Any] = json.loads(done.stdout)
        except ValueError:
            return {"error": done.stdout[-500:] + done.stderr[-500:]}
        return found

    def dag_file(self, row: Row) -> Path:
        """Return where a row's DAG file is, as Airflow sees it."""
        return self.airflow.home / "dags" / f"{row.dag_id}.py"

    def write_dag(self, row: Row) -> Path:
        """Write a row's DAG file beside the others' originals."""
        path = self.folder / f"{row.dag_id}.py"
        path.write_text(_source(row, self.plots[row.number]), "utf-8")
        return path

    def _put_up(self) -> None:
        enter = self._stack.enter_context
        enter(self.emulator)
        enter(self.store_server)
        enter(self.airflow_server)
        self.store_server.create_database("locks")
        self.airflow_server.create_database("airflow")
        self.store_url = self.store_server.url("locks")
        (self.folder / "matrix_generators.py").write_text(
            (HERE / "generators.py").read_text("utf-8"), "utf-8"
        )
        files = [self.write_dag(row) for row in self.rows]
        if self._janitor:
            files.append(REPOSITORY / "dags" / "codebeamer_lock_janitor.py")
        self.airflow = LocalAirflow(
            self.folder / "airflow",
            dag_files=files,
            variables=self._variables(),
            database_url=self.airflow_server.url("airflow"),
            database_url_async=self.airflow_server.url("airflow", "asyncpg"),
        )
        enter(self.airflow)
        self._start_workers()
        for row in self.rows:
            self.airflow.wait_for_dag(row.dag_id, timeout_seconds=120)

    def _start_workers(self) -> None:
        """Start what runs the tasks; here it is the scheduler itself."""

    def _variables(self) -> dict[str, str]:
        accounts = [("codebeamer_default", self.plots["bond"])]
        accounts += [(plot.conn_id, plot) for plot in self.plots.values()]
        return {
            "PYTHONPATH": f"{self.folder}{os.pathsep}{REPOSITORY}",
            "AIRFLOW__CORE__PARALLELISM": "12",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "45",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(
                HEARTBEAT_TIMEOUT_SECONDS
            ),
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": (
                "5"
            ),
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
            "AIRFLOW__CODEBEAMER__LOCK_STORE": self.store_url,
            "AIRFLOW__CODEBEAMER__BRIDGE_SECONDS": str(LEASE_SECONDS),
            "AIRFLOW_VAR_CODEBEAMER_LOCK_JANITOR_SCHEDULE": "* * * * *",
            **{
                f"AIRFLOW__CODEBEAMER__{name.upper()}_SECONDS": str(value)
                for name, value in TIMES.items()
            },
            **{
                f"AIRFLOW_CONN_{conn_id.upper()}": self._connection(plot)
                for conn_id, plot in accounts
            },
        }

    def _connection(self, plot: Plot) -> str:
        return json.dumps(
            {
                "conn_type": "codebeamer",
                "host": self.emulator.url,
                "login": plot.account,
                "extra": {
                    "token": plot.token,
                    "exclusive_role": ROLE,
                    "requests_per_second": "off",
                    "requests_per_minute": "off",
                    "timeout_seconds": "3/10",
                },
            }
        )

    def _world(self) -> dict[str, Any]:
        build = WorldBuilder()
        token = secrets.token_hex(8)
        build.user("bond", system_admin=True, token=token)
        self.plots["bond"] = Plot("bond", token, TrackerId(0))
        people = [build.user("alice"), build.user("bob")]
        for row in self.rows:
            account, token = f"gen{row.number}", secrets.token_hex(8)
            user = build.user(account, token=token)
            project = build.project(f"Row {row.number}", f"ROW{row.number}")
            developer = build.role(project, "Developer")
            tester = build.role(project, "Tester")
            reader = build.role(project, "Reader")
            generator = build.role(project, ROLE, trackers_admin=True)
            build.member(project, people[0], developer)
            build.member(project, people[1], tester)
            build.member(project, user, generator)
            tracker = build.tracker(
                project,
                f"Requirements {row.number}",
                "REQ",
                permissions={
                    developer: _DEVELOPER,
                    tester: _DEVELOPER[:12],
                    reader: sorted(READ_ONLY),
                    generator: ALL_PERMISSIONS,
                },
            )
            folder = build.item(tracker, "What was there", fields={"Type": "Folder"})
            build.item(tracker, "An item of people", parent=folder)
            self.plots[row.number] = Plot(account, token, TrackerId(tracker))
        return build.build()

    @contextmanager
    def store_frozen(self) -> Iterator[None]:
        """Stop the lock store's processes for the length of a block (SIGSTOP)."""
        pids = self.store_server.list_pids()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


_TEMPLATE = """
    from __future__ import annotations

    from datetime import timedelta

    from airflow_codebeamer.template import generator_dag

    dag = generator_dag({arguments})
"""
_OWN_TASKS = """
    from __future__ import annotations

    from datetime import timedelta

    from airflow.sdk import DAG, task

    from airflow_codebeamer.notifications import release_locks
    from airflow_codebeamer.template import exclusive_tracker
    from matrix_generators import {generator}

    with DAG(
        {dag_id!r},
        schedule=None,
        default_args={{"retry_delay": timedelta(seconds=3)}},
        on_failure_callback=release_locks,
    ):
        with exclusive_tracker(
            {tracker_id},
            codebeamer_conn_id={conn_id!r},
            lease=timedelta(seconds={lease}),
        ):
            task(task_id="generate")({generator})()
"""


def _source(row: Row, plot: Plot) -> str:
    if row.wiring == "own tasks":
        return textwrap.dedent(_OWN_TASKS).format(
            dag_id=row.dag_id,
            generator=row.generator,
            tracker_id=plot.tracker_id,
            conn_id=plot.conn_id,
            lease=LEASE_SECONDS,
        )
    span = timedelta(seconds=LEASE_SECONDS)
    arguments: dict[str, Any] = {
        "dag_id": row.dag_id,
        "generator": f"matrix_generators:{row.generator}",
        "tracker_id": plot.tracker_id,
        "codebeamer_conn_id": plot.conn_id,
        "reason": "the matrix",
        "lease": span,
        "wait_for": timedelta(seconds=45),
        "retries": 0,
        "retry_delay": timedelta(seconds=3),
        **row.options,
    }
    # repr of a timedelta names its module, which the file imports by name.
    shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return textwrap.dedent(_TEMPLATE).format(
        arguments=shown.replace("datetime.timedelta", "timedelta")
    )
