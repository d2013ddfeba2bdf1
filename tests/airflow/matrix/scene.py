"""A row in the making: its run, the hand that hurts it, and what was seen."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil

from airflow_codebeamer.demo import DagRun
from airflow_codebeamer.errors import CodebeamerError, DemoError
from airflow_codebeamer.locking import Event, Lock, LockState
from tests.airflow.matrix.logs import lines_of, log_of
from tests.airflow.matrix.row import RUN_ID, Row
from tests.airflow.matrix.site import Plot, Site

__all__ = ["Scene", "Watcher"]

_STEP_SECONDS = 90.0
_LOOK_SECONDS = 0.1


class Watcher:
    """Looks at a tracker's permissions from outside, and notes each change."""

    def __init__(self, site: Site, plot: Plot) -> None:
        self._site = site
        self._plot = plot
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.before = site.emulator.permissions(plot.tracker_id)
        #: Moments and whether the permissions were those from before.
        self.changes: list[tuple[float, bool]] = [(time.time(), True)]

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def is_as_before(self) -> bool:
        """Whether the tracker's permissions are byte for byte what they were."""
        return self._site.emulator.permissions(self._plot.tracker_id) == self.before

    def restored_at(self) -> float | None:
        """Return when the permissions came back for the last time."""
        moment, as_before = self.changes[-1]
        return moment if as_before else None

    @property
    def was_reduced(self) -> bool:
        """Whether they were ever anything else."""
        return len(self.changes) > 1

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            now = self.is_as_before
            if now is not self.changes[-1][1]:
                self.changes.append((time.time(), now))


class Scene:
    """What a row's fault has in its hands."""

    def __init__(self, site: Site, row: Row) -> None:
        self.site = site
        self.row = row
        self.plot = site.plots[row.number]
        self.rest = site.rest()
        self.watcher = Watcher(site, self.plot)
        self.items_before = site.emulator.items(self.plot.tracker_id)
        self.hurt_at: float | None = None
        self.notes: list[str] = []
        #: Who gave the tracker back when no layer of the run had to.
        self.otherwise = "the task itself"
        self.outside: list[tuple[float, dict[str, Any]]] = []
        self._janitor_over = threading.Event()

    # --- the run -----------------------------------------------------------

    def begin(self, *, create_seconds: float = 0.35) -> None:
        """Start the run; writing takes a while, so that it has a middle."""
        if create_seconds:
            self.fault("delay", operation="createTrackerItem", seconds=create_seconds)
        self.rest.trigger(self.row.dag_id, {}, run_id=RUN_ID)

    def fault(self, kind: str, **parts: Any) -> int:
        """Let the server fail for this row's account only."""
        return self.site.emulator.add_fault(
            {"kind": kind, "user": self.plot.account, **parts}
        )

    def mend(self, *numbers: int) -> None:
        """Let the server do again what a fault prevented."""
        for number in numbers:
            self.site.emulator.remove_fault(number)

    def mend_all(self) -> None:
        """Let the server do again whatever this row's faults prevented."""
        for fault in self.site.emulator.faults():
            if fault["user"] == self.plot.account:
                self.mend(fault["number"])

    def met(self, number: int) -> int:
        """Return how often a fault has happened."""
        found = [f for f in self.site.emulator.faults() if f["number"] == number]
        return int(found[0]["met"]) if found else 0

    def run(self) -> DagRun:
        """Return the run as it is now."""
        return self.rest.get_run(self.row.dag_id, RUN_ID)

    def created(self) -> int:
        """Return how many items there are more than before."""
        items = self.site.emulator.items(self.plot.tracker_id)
        return len(items) - len(self.items_before)

    def until(
        self, what: str, holds: Callable[[], Any], seconds: float = _STEP_SECONDS
    ) -> Any:
        """Wait until something holds.

        Raises:
            DemoError: it does not, in time.
        """
        end = time.monotonic() + seconds
        while True:
            trouble = ""
            try:
                if found := holds():
                    return found
            except DemoError as error:
                # Airflow may be what the row hurts.
                trouble = f" ({error})"
            if time.monotonic() >= end:
                raise DemoError(f"not {what} in {seconds:.0f} s{trouble}")
            time.sleep(_LOOK_SECONDS)

    def until_writing(self, count: int = 5) -> None:
        """Wait until the generator is in the middle of its writing."""
        self.until("writing", lambda: self.created() >= count)

    def until_locking(self) -> None:
        """Wait until the lock task is in the middle of taking rights away."""
        self.until("locking", lambda: not self.watcher.is_as_before)

    def until_task(self, task_id: str, *states: str, seconds: float = 90.0) -> str:
        """Wait until a task is in one of these states."""

        def state() -> str:
            found = self.run().tasks.get(self.row.task_id(task_id), "none")
            return found if found in states else ""

        return str(self.until(f"{task_id} in {states}", state, seconds))

    # --- hurting -----------------------------------------------------------

    def hurt(self) -> None:
        """Note that the failure is now; a second call moves it."""
        self.hurt_at = time.time()

    def hurt_when_logged(self, *words: str, task_id: str = "generate") -> None:
        """Note as the failure's moment the line in a task's log that tells of it."""
        log = log_of(self.site, self.row, self.row.task_id(task_id))

        def find() -> float:
            for at, line in lines_of(log):
                if any(word in line for word in words):
                    return at
            return 0.0

        self.hurt_at = self.until(f"{words} in the log", find, 30)

    def pid(self, task_id: str = "generate") -> int:
        """Return the process of a running task."""
        find = self.rest.find_pid
        found = self.until(
            f"{task_id} with a process",
            lambda: find(self.row.dag_id, RUN_ID, self.row.task_id(task_id)),
        )
        return int(found)

    def kill(self, task_id: str = "generate", number: int = signal.SIGKILL) -> int:
        """Send a signal to a task's process, and say to which."""
        pid = self.pid(task_id)
        self.hurt()
        os.kill(pid, number)
        return pid

    def kill_supervisor(self) -> int:
        """Kill the process that watches over the generator; return the generator's."""
        pid = self.pid()
        parent = psutil.Process(pid).ppid()
        self.hurt()
        os.kill(parent, signal.SIGKILL)
        return pid

    @contextmanager
    def outside_janitor(self, every_seconds: float = 5.0) -> Iterator[None]:
        """Run the command `recover` again and again, as cron or systemd would."""

        def work() -> None:
            while not self._janitor_over.is_set():
                began = time.time()
                report = self.site.recover(self.plot)
                self.outside.append((began, report))
                self._janitor_over.wait(every_seconds)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._janitor_over.set()
            thread.join()

    # --- looking -----------------------------------------------------------

    def find_lock(self) -> Lock | None:
        """Return the lock on the tracker, None while nobody holds it."""
        with self.site.codebeamer(self.plot) as codebeamer:
            server = codebeamer.settings.server.base
            lock = codebeamer.status.find(server, self.plot.tracker_id)
        return None if lock is None or lock.state is LockState.FREE else lock

    def find_held(self) -> Lock | None:
        """Return the lock on the tracker if it is in force."""
        lock = self.find_lock()
        return lock if lock is not None and lock.state is LockState.HELD else None

    def history(self) -> list[Event]:
        """Return what the store says happened to the tracker's locks."""
        with self.site.codebeamer(self.plot) as codebeamer:
            server = codebeamer.settings.server.base
            return codebeamer.status.history(server, self.plot.tracker_id)

    def is_released(self) -> bool:
        """Whether permissions are back and nobody holds the lock."""
        if not self.watcher.is_as_before:
            return False
        with suppress(CodebeamerError):
            return self.find_lock() is None
        return False

    def close(self) -> None:
        """Take back what the fault did to the server, and let go of Airflow."""
        self.mend_all()
        self.rest.close()
