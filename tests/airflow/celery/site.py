"""The matrix's site on CeleryExecutor: Redis, and two workers that end differently."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from airflow_codebeamer.demo.process import Component
from airflow_codebeamer.errors import DemoError
from tests.airflow.celery.broker import EmbeddedRedis
from tests.airflow.matrix.row import Row
from tests.airflow.matrix.site import Site

__all__ = ["COLD", "QUEUED_SECONDS", "WARM", "CelerySite", "QueuedRow", "Worker"]

#: Names of workers, each with a queue of this name besides the default one.
WARM, COLD = "warm", "cold"
#: How long a task may be queued until the scheduler queues it anew.
QUEUED_SECONDS = 20
_CONCURRENCY = 3
_READY_SECONDS = 120.0
_LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class QueuedRow(Row):
    """A row that may say which worker runs its generator."""

    queue: str = ""


class Worker(Component):
    """A Celery worker: its main process, its pool and their tasks, in one session."""

    _ready_before = 0

    def start(self) -> None:
        """Start the worker; `wait_until_ready` says when it takes tasks."""
        if not self.is_running:
            self._ready_before = self._times_ready()
        super().start()

    def wait_until_ready(self) -> None:
        """Wait until the worker takes tasks.

        Raises:
            DemoError: it ended, or the time is over.
        """
        until = time.monotonic() + _READY_SECONDS
        while self._times_ready() == self._ready_before:
            if not self.is_running or time.monotonic() >= until:
                end = "\n".join(self.last_lines(15))
                raise DemoError(f"{self.name} does not start, its log ends:\n{end}")
            time.sleep(_LOOK_SECONDS)

    def _times_ready(self) -> int:
        if not self.log.exists():
            return 0
        return self.log.read_text("utf-8", errors="replace").count(" ready.")


class CelerySite(Site):
    """The same Airflow, server and stores; the tasks run in Celery workers.

    The worker `warm` is as Celery comes: told to end (SIGTERM), it lets its tasks
    finish. The worker `cold` has REMAP_SIGTERM=SIGQUIT, as people set it where a
    host has no time to wait: told to end, it ends at once.
    """

    def __init__(self, folder: Path, rows: Iterable[Row], *, janitor: bool = True):
        super().__init__(folder, rows, janitor=janitor)
        self.redis = EmbeddedRedis(folder / "redis")
        self.workers: dict[str, Worker] = {}

    def worker(self, name: str, *, queues: str, **variables: str) -> Worker:
        """Return a worker of its own name, not started yet."""
        airflow = self.airflow
        return Worker(
            f"worker-{name}",
            [
                *(sys.executable, "-m", "airflow", "celery", "worker"),
                *("--celery-hostname", f"{name}@{name}", "--skip-serve-logs"),
                *("--queues", queues, "--concurrency", str(_CONCURRENCY)),
            ],
            environment={**airflow.environment, **variables},
            folder=airflow.home,
            log=airflow.logs / f"worker-{name}.log",
        )

    def worker_of(self, pid: int) -> Worker:
        """Return the worker that runs a process.

        Raises:
            DemoError: none does.
        """
        for worker in self.workers.values():
            if pid in worker.list_pids():
                return worker
        raise DemoError(f"no worker has the process {pid}")

    @contextmanager
    def whole_again(self) -> Iterator[None]:
        """Bring back after a block whatever of broker and workers it ended."""
        try:
            yield
        finally:
            if not self.redis.is_running:
                self.redis.start()
            for worker in self.workers.values():
                if not worker.is_running:
                    worker.end()
                    worker.start()
            for worker in self.workers.values():
                worker.wait_until_ready()

    def write_dag(self, row: Row) -> Path:
        """Write a row's DAG file; its generator is queued where the row says."""
        path = super().write_dag(row)
        if isinstance(row, QueuedRow) and row.queue:
            with path.open("a", encoding="utf-8") as file:
                file.write(f'dag.get_task("generate").queue = {row.queue!r}\n')
        return path

    def _put_up(self) -> None:
        self._stack.enter_context(self.redis)
        super()._put_up()

    def _start_workers(self) -> None:
        for name, variables in ((WARM, {}), (COLD, {"REMAP_SIGTERM": "SIGQUIT"})):
            worker = self.worker(name, queues=f"default,{name}", **variables)
            self._stack.callback(worker.end)
            self.workers[name] = worker
            worker.start()
        for worker in self.workers.values():
            worker.wait_until_ready()

    def _variables(self) -> dict[str, str]:
        database = self.airflow_server.url("airflow")
        return {
            **super()._variables(),
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CELERY__BROKER_URL": self.redis.url,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
            "AIRFLOW__CELERY__SYNC_PARALLELISM": "1",
            "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "86400",
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": str(QUEUED_SECONDS),
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
        }
