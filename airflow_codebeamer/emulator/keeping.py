"""Keeping: a world in one file that outlives the process, even a killed one.

The file is a list of JSON lines: a whole world, then every call that could
change it, in order, each on the disk before its answer leaves. Opening it does
the calls again and writes the world anew.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from airflow_codebeamer.emulator.app import Application, Asked
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.remembered import Job
from airflow_codebeamer.emulator.world import World

__all__ = ["KeptWorld"]


class KeptWorld:
    """The world of an application, kept in a file from its opening to its closing.

    Not promised: faults, the journal of calls and the budgets of the throttle;
    they start anew. One emulator at a time has a file.
    """

    def __init__(self, path: Path, application: Application) -> None:
        self._path = path
        self._application = application
        self._file: IO[bytes] | None = None
        self._lines = 0
        self._kinds: dict[str, Callable[[Any], None]] = {
            "world": lambda data: application.replace_world(World.load(data)),
            "clock": application.clock.load,
            "assumptions": lambda data: application.world.assumptions.update(data),
            "call": self._again,
            "job": self._job,
        }

    def open(self) -> None:
        """Read the file, or make it; from here on every change is kept.

        Raises:
            RefusedError: It is not such a file, or another emulator has it.
        """
        self._file = _locked(self._path)
        try:
            self._read()
            self._write_whole()
        except BaseException:
            self._file.close()
            self._file = None
            raise
        self._application.calls.clear()
        self._application.keep = self.append

    def append(self, kind: str, data: Any) -> None:
        """Put one change on the disk."""
        if self._file is None:
            raise RuntimeError("The file of the world is closed.")
        self._file.write(json.dumps({kind: data}).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._lines += 1

    def close(self) -> None:
        """Write the world anew if anything changed, and leave the file to others."""
        if self._file is None:
            return
        try:
            if self._lines:
                self._write_whole()
        finally:
            self._file.close()
            self._file = None
            self._application.keep = None

    def _read(self) -> None:
        assert self._file is not None  # noqa: S101
        lines = self._file.read().split(b"\n")
        # A line without its end was being written when the process died: nobody
        # got an answer to it.
        for number, line in enumerate(lines[:-1], 1):
            try:
                ((kind, data),) = json.loads(line).items()
                self._kinds[kind](data)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise RefusedError(
                    400, f"Line {number} of {self._path} is not ours ({error!r})."
                ) from error
            except RefusedError as error:
                raise RefusedError(
                    400, f"Line {number} of {self._path}: {error.message}"
                ) from error

    def _again(self, data: dict[str, Any]) -> None:
        """Do a call at the moment at which it was done."""
        asked = Asked(**{**data["asked"], "body": base64.b64decode(data["body"])})
        with self._application.clock.held(datetime.fromisoformat(data["at"])):
            as_system = data.get("as_system", False)
            answer = self._application.repeat(data["user"], asked, as_system=as_system)
        if answer.status != data["status"]:
            raise RefusedError(
                400,
                f"{asked.method} {asked.path} was answered {data['status']} and is"
                f" {answer.status} in this version of the emulator.",
            )

    def _job(self, data: dict[str, Any]) -> None:
        job = Job(**data)
        self._application.world.jobs[job.id] = job
        counters = self._application.world.counters
        counters["job"] = max(counters.get("job", 1), job.id + 1)

    def _write_whole(self) -> None:
        """Replace the file by one with the world as it is."""
        fresh = self._path.with_name(f"{self._path.name}.new")
        file = _opened(fresh, os.O_TRUNC)
        fcntl.flock(file, fcntl.LOCK_EX)
        for kind, data in (
            ("world", self._application.world.dump()),
            ("clock", self._application.clock.dump()),
        ):
            file.write(json.dumps({kind: data}).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
        fresh.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        if self._file is not None:
            self._file.close()
        self._file, self._lines = file, 0


def _opened(path: Path, more: int = 0) -> IO[bytes]:
    # For its owner only: a world holds passwords, if only invented ones.
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | more, 0o600), "r+b")


def _locked(path: Path) -> IO[bytes]:
    """Open a file that nobody else has, and that is still the one of this name."""
    while True:
        file = _opened(path)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise RefusedError(
                400, f"Another emulator keeps its world in {path}; stop it first."
            ) from None
        if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
        file.close()
