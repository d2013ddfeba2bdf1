"""One program as a process: started through its keeper, heard, and ended."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from typing import IO

from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.generator.launchers import keeper
from airflow_codebeamer.generator.launchers.echo import Lines, Tail, drain
from airflow_codebeamer.generator.program import Program

__all__ = ["Heard", "Process"]

#: How many lines wait for us before the program has to.
_WAITING = 1_000
#: What the keeper may take on top of the grace.
_KEEPER_SECONDS = 10.0

#: A line of messages: bytes, number, whether it was cut; or text for the log.
Heard = tuple[bytes, int, bool] | str


class Process:
    """A program, its keeper, and the threads that listen to it.

    `fifo` is where its messages come from, unless they come from its stdout.
    Nothing of it is left when `wait` has returned, or when we are dead.

    Raises:
        ConfigurationError: there is no such command or folder.
    """

    def __init__(
        self, program: Program, env: Mapping[str, str], fifo: Path, lease: Path
    ) -> None:
        self._program = program
        self._heard: Queue[Heard] = Queue(_WAITING)
        self._fifo = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        life, self._life = os.pipe()
        try:
            self._process = self._start(program, env, life, lease)
        except BaseException:
            os.close(self._fifo)
            os.close(self._life)
            raise
        finally:
            os.close(life)
        self.errors = Tail(self._heard.put)
        self._threads = [
            threading.Thread(target=target, daemon=True)
            for target in (self._hear_stdout, self._hear_stderr, self._hear_fifo)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def exit_code(self) -> int | None:
        """The program's exit code, None while it runs."""
        return self._process.poll()

    def hear(self, seconds: float) -> Heard | None:
        """Return the next that it said; None if nothing came for so long."""
        try:
            return self._heard.get(timeout=seconds)
        except Empty:
            return None

    @property
    def is_over(self) -> bool:
        """Whether it has ended, and all that it said was heard."""
        if self.exit_code is None or any(one.is_alive() for one in self._threads):
            return False
        return self._heard.empty()

    def end(self) -> None:
        """Ask it to end; it is killed after its grace."""
        with suppress(OSError):  # the keeper is gone, and the program with it
            os.write(self._life, b"T")

    def close(self) -> None:
        """Make sure that nothing of it is left; the last thing to do."""
        os.close(self._life)
        grace_seconds = self._program.grace.total_seconds()
        try:
            self._process.wait(grace_seconds + _KEEPER_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        while any(one.is_alive() for one in self._threads):
            self.hear(0.05)  # nobody listens, but the threads want to end
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        os.close(self._fifo)

    def _start(
        self, program: Program, env: Mapping[str, str], life: int, lease: Path
    ) -> subprocess.Popen[bytes]:
        if program.cwd is not None and not Path(program.cwd).is_dir():
            raise ConfigurationError("cwd", f"there is no folder {program.cwd!r}")
        command = _found(program.command, env, program.cwd)
        grace = str(program.grace.total_seconds())
        arguments = [str(keeper.__file__), str(life), grace, str(lease), "--", *command]
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-S", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env),
            cwd=program.cwd,
            pass_fds=(life,),
            start_new_session=True,
            bufsize=0,
        )

    def _hear_stdout(self) -> None:
        if self._program.messages == "stdout":
            self._hear_lines(self._process.stdout)
            return
        self._hear_tail(self._process.stdout, Tail(self._heard.put))

    def _hear_stderr(self) -> None:
        self._hear_tail(self._process.stderr, self.errors)

    def _hear_fifo(self) -> None:
        lines = Lines(self._put_line)
        drain(self._fifo, lines.feed, self._has_ended)
        lines.close()

    def _hear_lines(self, stream: IO[bytes] | None) -> None:
        if stream is None:
            return
        lines = Lines(self._put_line)
        drain(stream.fileno(), lines.feed, self._has_ended)
        lines.close()

    def _hear_tail(self, stream: IO[bytes] | None, tail: Tail) -> None:
        if stream is None:
            return
        drain(stream.fileno(), tail.feed, self._has_ended)
        tail.close()

    def _has_ended(self) -> bool:
        # Somebody whom the program started may keep a stream open for ever.
        return self.exit_code is not None

    def _put_line(self, line: bytes, number: int, is_cut: bool) -> None:
        self._heard.put((line, number, is_cut))


def _found(
    command: Sequence[str], env: Mapping[str, str], cwd: str | None
) -> list[str]:
    """Return the command with the place of its program, looked up as a shell would."""
    name = command[0]
    inside = str(Path(cwd or ".") / name) if os.sep in name else name
    found = shutil.which(inside, path=env.get("PATH"))
    if found is None:
        raise ConfigurationError(
            "command",
            f"there is no program {name!r} to run here; give its path, and see that "
            "it may be executed",
        )
    return [str(Path(found).absolute()), *command[1:]]
