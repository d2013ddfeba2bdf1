"""A tracker on which rounds are played, one after the other."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psutil

from airflow_codebeamer.demo import DagRun
from airflow_codebeamer.errors import CodebeamerError, DemoError
from airflow_codebeamer.locking import Lock, LockState
from airflow_codebeamer.wiring import Codebeamer
from tests.airflow.matrix.row import Row
from tests.airflow.matrix.site import Site

__all__ = ["CREATE_SECONDS", "TASKS", "Ground"]

#: In the order in which they run.
TASKS = ("plan", "reserve", "lock", "generate", "unlock", "verify")

#: Writing and locking take a while, so that they have a middle.
CREATE_SECONDS = 0.2
_PERMISSION_SECONDS = 0.3

_LOOK_SECONDS = 0.3
_OVER = frozenset(
    {"success", "failed", "skipped", "upstream_failed", "removed", "none"}
)


class Ground:
    """A tracker with an account and a DAG of its own, and hands that hurt its runs."""

    def __init__(self, site: Site, row: Row) -> None:
        self.site = site
        self.row = row
        self.plot = site.plots[row.number]
        self.rest = site.rest()
        self.permissions = site.emulator.permissions(self.plot.tracker_id)
        self._slow = (
            self.fault("delay", operation="createTrackerItem", seconds=CREATE_SECONDS),
            self.fault(
                "delay", operation="updatePermission", seconds=_PERMISSION_SECONDS
            ),
        )

    def close(self) -> None:
        """Let go of the server and of Airflow."""
        for number in self._slow:
            self.mend(number)
        self.rest.close()

    # --- runs --------------------------------------------------------------

    def begin(self, run_id: str) -> None:
        """Start a run that fills a folder of its own, named like the run."""
        conf = {"arguments": {"tag": run_id}}
        self.until(
            "started",
            lambda: self.rest.trigger(self.row.dag_id, conf, run_id=run_id),
            60,
        )

    def run(self, run_id: str) -> DagRun:
        """Return a run as it is now."""
        return self.rest.get_run(self.row.dag_id, run_id)

    def is_over(self, run_id: str) -> bool:
        """Whether nothing more happens in a run, teardowns included."""
        run = self.run(run_id)
        return run.is_finished and set(run.tasks.values()) <= _OVER

    def find_pid(self, run_id: str, task_id: str) -> int | None:
        """Return a task's living process, None if it has none.

        Only of this very Airflow: a number may belong to somebody else by now.
        """
        pid = self.rest.find_pid(self.row.dag_id, run_id, task_id)
        if pid is None or pid not in self.site.airflow.list_pids():
            return None
        with suppress(psutil.Error):
            if any("airflow" in part for part in psutil.Process(pid).cmdline()):
                return pid
        return None

    def signal(self, pid: int, number: int) -> bool:
        """Send a signal to a process; False if it is gone."""
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    # --- the server --------------------------------------------------------

    def fault(self, kind: str, **parts: Any) -> int:
        """Let the server fail for this ground's account only."""
        return self.site.emulator.add_fault(
            {"kind": kind, "user": self.plot.account, **parts}
        )

    def mend(self, number: int) -> None:
        """Take a fault back."""
        self.site.emulator.remove_fault(number)

    # --- looking -----------------------------------------------------------

    def connect(self) -> Codebeamer:
        """Return our engines on this ground, for whoever is not Airflow."""
        return self.site.codebeamer(self.plot)

    def find_lock(self) -> Lock | None:
        """Return the lock on the tracker, None while nobody holds it."""
        with self.connect() as codebeamer:
            server = codebeamer.settings.server.base
            lock = codebeamer.status.find(server, self.plot.tracker_id)
        return None if lock is None or lock.state is LockState.FREE else lock

    @property
    def is_as_before(self) -> bool:
        """Whether permissions are byte for byte what they were at the beginning."""
        return self.site.emulator.permissions(self.plot.tracker_id) == self.permissions

    def is_free(self) -> bool:
        """Whether nobody holds the tracker and its permissions are its own."""
        with suppress(CodebeamerError):
            return self.find_lock() is None and self.is_as_before
        return False

    def until(self, what: str, holds: Callable[[], Any], seconds: float) -> Any:
        """Wait until something holds; whatever Airflow answers meanwhile.

        Raises:
            DemoError: it does not, in time.
        """
        end = time.monotonic() + seconds
        trouble = ""
        while True:
            try:
                if found := holds():
                    return found
            except DemoError as error:
                trouble = f" ({error})"
            if time.monotonic() >= end:
                raise DemoError(f"not {what} in {seconds:.0f} s{trouble}")
            time.sleep(_LOOK_SECONDS)
