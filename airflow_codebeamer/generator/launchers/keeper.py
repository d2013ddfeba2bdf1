"""Keeps all processes of one program, and ends them; a process of its own.

    python -I -S keeper.py LIFE GRACE LEASE -- command …

Runs between us and the program, with nothing but the standard library. The
program is ended, with a grace between SIGTERM and SIGKILL, when `T` or an end
comes through the pipe LIFE (an end: we are dead), or when the time in the file
LEASE is over (we are frozen). Whatever the program leaves behind, in its process
group or outside of it, is killed; the folder of LEASE goes too if we are dead.
Should the keeper itself be killed, the system kills the program.

Its exit code is the program's; 128 and the signal if one ended it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
#: How long a program that lost us has to end, however long its grace is.
_ORPHAN_GRACE_SECONDS = 5.0
_LOOK_SECONDS = 0.25
_ROUNDS = 200


def prctl(option: int, value: int) -> None:
    """Set an option of this process, where the system has it."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def boottime() -> float:
    """Return seconds since boot, time asleep included."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def is_over(lease: str) -> bool:
    """Whether the file says that the lease ran out; no file is no lease."""
    try:
        with open(lease, encoding="utf-8") as file:
            said = json.load(file)
        # A lease that was lost is for us to say, and for the program to hear.
        return said["state"] == "held" and float(said["until_boottime"]) <= boottime()
    except (OSError, ValueError, KeyError, TypeError):
        return False


def spawn(command: list[str]) -> subprocess.Popen[bytes]:
    """Start the program in a process group of its own that dies with us."""
    keeper = os.getpid()

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:
            os._exit(125)

    return subprocess.Popen(command, preexec_fn=bind, process_group=0)  # noqa: S603


def orphans() -> list[int]:
    """Return the processes whose parent we are, or have become."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{entry}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            if int(fields[1]) == os.getpid():
                found.append(int(entry))
    return found


def kill_group(group: int, number: int) -> None:
    """Send a signal to a process group, if it is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def sweep(group: int) -> None:
    """Kill what is left: the group, then whatever has fallen to us."""
    kill_group(group, signal.SIGKILL)
    for _ in range(_ROUNDS if os.path.isdir("/proc/self") else 0):
        left = orphans()
        if not left:
            return
        for process in left:
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        select.select([], [], [], 0.01)


class Keeper:
    """Waits for the program, for a word from us, and for the end of the lease."""

    def __init__(self, life: int, grace_seconds: float, lease: str) -> None:
        self._life = life
        self._grace_seconds = grace_seconds
        self._lease = lease
        self._kill_at: float | None = None
        self._hears = True

    def run(self, command: list[str]) -> int:
        """Return the exit code of the program, once nothing of it is left."""
        program = spawn(command)
        # Whoever signals the keeper means the program.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self._end(program, self._grace_seconds))
        watched = _pidfd(program.pid)
        while program.poll() is None:
            self._listen(program, watched)
            if self._kill_at is None and is_over(self._lease):
                self._end(program, min(self._grace_seconds, _ORPHAN_GRACE_SECONDS))
            if self._kill_at is not None and boottime() >= self._kill_at:
                kill_group(program.pid, signal.SIGKILL)
        sweep(program.pid)
        if not self._hears:
            # Nobody else is left to remove what may hold a password.
            shutil.rmtree(os.path.dirname(self._lease), ignore_errors=True)
        code = program.returncode
        return code if code >= 0 else 128 - code

    def _listen(self, program: subprocess.Popen[bytes], watched: list[int]) -> None:
        sources = [self._life, *watched] if self._hears else watched
        wait_seconds = _LOOK_SECONDS if watched else _LOOK_SECONDS / 10
        if self._kill_at is not None:
            left = self._kill_at - boottime()
            wait_seconds = max(0.01, min(wait_seconds, left))
        ready, _, _ = select.select(sources, [], [], wait_seconds)
        if self._life in ready:
            if os.read(self._life, 64):
                self._end(program, self._grace_seconds)
            else:
                self._hears = False
                self._end(program, min(self._grace_seconds, _ORPHAN_GRACE_SECONDS))

    def _end(self, program: subprocess.Popen[bytes], grace_seconds: float) -> None:
        kill_at = boottime() + grace_seconds
        if self._kill_at is None:
            kill_group(program.pid, signal.SIGTERM)
            # One that is stopped would not hear it.
            kill_group(program.pid, signal.SIGCONT)
        self._kill_at = min(kill_at, self._kill_at or kill_at)


def _pidfd(process: int) -> list[int]:
    try:
        return [os.pidfd_open(process)]
    except (AttributeError, OSError):
        return []


def main(arguments: list[str]) -> int:
    """Run the command; return its exit code."""
    life, grace, lease, _, *command = arguments
    os.set_inheritable(int(life), False)
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        return Keeper(int(life), float(grace), lease).run(command)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
