"""Threads that write side by side, and stop together at the first error."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from airflow_codebeamer.client import Before
from airflow_codebeamer.clock import Clock
from airflow_codebeamer.errors import ItemLockedError, OutcomeUnknownError, ServerError

__all__ = ["Crew", "Halted"]

T = TypeVar("T")
Task = Callable[[], object]

_ATTEMPTS = 3
#: How long to wait for an item that somebody is editing, before asking again.
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 15.0


class Halted(Exception):  # noqa: N818 - never leaves this room, says "stop" to a task
    """Another task failed, or the guard did: end without a word."""


class Crew:
    """Runs tasks on a few threads; a task may add further ones.

    Each write asks the guard when its turn has come, right before it leaves: at
    a pace of a few requests a second a thread may wait for seconds. Once anything
    has failed nothing is sent any more, whoever wanted to.

    Not promised: to call back a request that is on its way already.
    """

    def __init__(
        self,
        size: int,
        guard: Callable[[], None],
        clock: Clock,
        settle_seconds: float,
        patience_seconds: float = 120.0,
    ) -> None:
        self._size = size
        self._guard = guard
        self._clock = clock
        self._settle_seconds = settle_seconds
        self._patience_seconds = patience_seconds
        self._door = threading.Lock()
        self._finished = threading.Event()
        self._open = 0
        self._error: BaseException | None = None
        self._pool: ThreadPoolExecutor | None = None

    def run(self, tasks: Iterable[Task]) -> None:
        """Run the tasks and all that they add; raise the first error of any."""
        self._finished.clear()
        with ThreadPoolExecutor(self._size, "skeleton") as pool:
            self._pool = pool
            try:
                self._begin()
                for task in tasks:
                    self.add(task)
                self._end()
                self._finished.wait()
            except BaseException as error:
                # A signal in this thread: the others must not go on writing.
                self._halt(error)
                raise
        if self._error is not None:
            raise self._error

    def add(self, task: Task) -> None:
        """Have a task run; only from within `run`."""
        assert self._pool is not None  # noqa: S101 - only `run` calls tasks
        self._begin()
        self._pool.submit(self._carry_out, task)

    def check(self) -> None:
        """Ask whether anything may be sent.

        Raises:
            Halted: something failed before.
            LockLostError: the guard says so; from then on everybody stops.
        """
        self._go_on_or_halt()
        try:
            self._guard()
        except BaseException as error:
            self._halt(error)
            raise

    def patience(self) -> Iterator[None]:
        """Wait for somebody to finish editing; yields for each try, to the end."""
        until = self._clock.monotonic() + self._patience_seconds
        pause = _FIRST_PAUSE
        while self._clock.monotonic() < until:
            self._clock.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            self.check()
            yield

    def write(
        self,
        send: Callable[[Before], T],
        look: Callable[[], T | None],
        *,
        attempts: int = _ATTEMPTS,
    ) -> tuple[T, bool]:
        """Send; if the answer is lost, look, wait, look again, and only then repeat.

        `send` is given what it has to ask right before each try. An item that
        somebody is editing is waited for.
        Returns what was sent or found, and whether it was sent more than once,
        so that there may be two of it.

        Raises:
            OutcomeUnknownError, ServerError: it failed every time.
            ItemLockedError: somebody did not stop editing.
        """
        for attempt in range(1, attempts + 1):
            self._go_on_or_halt()
            try:
                return self._send(send), attempt > 1
            except (OutcomeUnknownError, ServerError):
                found = self._look_twice(look)
                if found is not None:
                    return found, attempt > 1
                if attempt == attempts:
                    raise
        raise AssertionError

    def _send(self, send: Callable[[Before], T]) -> T:
        try:
            return send(self.check)
        except ItemLockedError as error:
            locked = error
        for _ in self.patience():
            try:
                return send(self.check)
            except ItemLockedError as error:
                locked = error
        raise locked

    def _look_twice(self, look: Callable[[], T | None]) -> T | None:
        self.check()
        found = look()
        if found is None:
            # The request may still be on its way through the server.
            self._clock.sleep(self._settle_seconds)
            self.check()
            found = look()
        return found

    def _carry_out(self, task: Task) -> None:
        try:
            if self._error is None:
                task()
        except Halted:
            pass
        except BaseException as error:
            self._halt(error)
        finally:
            self._end()

    def _go_on_or_halt(self) -> None:
        if self._error is not None:
            raise Halted

    def _halt(self, error: BaseException) -> None:
        with self._door:
            if self._error is None:
                self._error = error

    def _begin(self) -> None:
        with self._door:
            self._open += 1

    def _end(self) -> None:
        with self._door:
            self._open -= 1
            if self._open == 0:
                self._finished.set()
