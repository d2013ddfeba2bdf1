"""One component of Airflow as processes of its own, with a log file.

Every component leads a session. Airflow moves its task processes into process
groups of their own but never into another session, so the session is what
finds all that a component ever started, orphans of a killed scheduler
included.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from airflow_codebeamer.clock import Clock, SystemClock

__all__ = ["Component", "list_session_pids"]

_LOOK_AGAIN_SECONDS = 0.1


class Component:
    """A program that runs in `folder`, in a session of its own, and logs into a file.

    It can be started again after it ended; `stop` ends the whole session, `kill`
    only the program itself, as a crash would.

    Not promised: a child that opens a session of its own is not found.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        log: Path,
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._folder = folder
        self._command = tuple(command)
        self._environment = dict(environment)
        self._clock = clock or SystemClock()
        self._process: subprocess.Popen[bytes] | None = None
        self._sessions: set[int] = set()

    @property
    def command(self) -> tuple[str, ...]:
        """What it runs."""
        return self._command

    @property
    def pid(self) -> int | None:
        """The program's process id, None before the first start."""
        return None if self._process is None else self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the program itself is alive; its children do not count."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the program; does nothing when it runs already."""
        if self.is_running:
            return
        with self.log.open("ab") as log:
            # Our own interpreter and our own arguments, no shell.
            self._process = subprocess.Popen(  # noqa: S603
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=self._folder,
                start_new_session=True,
            )
        self._sessions.add(self._process.pid)

    def interrupt(self) -> None:
        """Ask every process of the component to end (SIGTERM), without waiting."""
        _signal(self.list_pids(), signal.SIGTERM)

    def kill(self) -> None:
        """Kill the program only (SIGKILL); its children live on, as in a crash."""
        if self._process is not None and self.is_running:
            self._process.kill()
            self._process.wait()

    def stop(self, *, grace_seconds: float = 10.0) -> None:
        """End the component and all that it started; kill what does not listen."""
        self.interrupt()
        self.wait(grace_seconds)
        self.end()

    def end(self) -> None:
        """Kill everything of the component that is left (SIGKILL)."""
        while pids := self.list_pids():
            _signal(pids, signal.SIGKILL)
            self._clock.sleep(_LOOK_AGAIN_SECONDS)

    def wait(self, seconds: float) -> bool:
        """Wait until nothing of the component is left; False when time is over."""
        until = self._clock.monotonic() + seconds
        while self.list_pids():
            if self._clock.monotonic() >= until:
                return False
            self._clock.sleep(_LOOK_AGAIN_SECONDS)
        return True

    def list_pids(self) -> list[int]:
        """List the living processes of the component, orphans included."""
        self._reap()
        return list_session_pids(self._sessions)

    def last_lines(self, count: int = 20) -> list[str]:
        """Return the end of the log; empty when there is none."""
        if not self.log.exists():
            return []
        return self.log.read_text("utf-8", errors="replace").splitlines()[-count:]

    def _reap(self) -> None:
        if self._process is not None:
            self._process.poll()


def list_session_pids(sessions: Iterable[int]) -> list[int]:
    """List the living processes of these sessions; a zombie is not alive."""
    wanted = set(sessions)
    found = []
    for pid in psutil.pids() if wanted else []:
        with suppress(OSError, psutil.Error):
            if os.getsid(pid) not in wanted:
                continue
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
    return found


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
