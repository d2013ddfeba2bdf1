"""Patience: trying again within a task what may pass by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from airflow_codebeamer.clock import Clock
from airflow_codebeamer.errors import CodebeamerError, RestorePendingError, Retry

__all__ = ["Patience", "may_pass"]

T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 15.0


def may_pass(error: CodebeamerError) -> bool:
    """Whether doing the same in a moment may help, without anybody's doing."""
    if isinstance(error, RestorePendingError):
        return error.may_pass
    return error.retry is not Retry.NEVER


class Patience:
    """A span in which to try again, in pauses that grow to a quarter of a minute.

    What Airflow's own retries do not give: a second look after seconds, not
    after the delay between two tries and the start of a process.
    """

    def __init__(
        self, span: timedelta, clock: Clock, say: Callable[[str], object]
    ) -> None:
        self._clock = clock
        self._say = say
        self._end = clock.monotonic() + span.total_seconds()
        self._pause_seconds = _FIRST_PAUSE_SECONDS

    def tried(self, act: Callable[[], T]) -> T:
        """Do it until it does not raise what may pass, or time is over.

        Raises:
            CodebeamerError: what it raised last.
        """
        while True:
            try:
                return act()
            except CodebeamerError as error:
                if not may_pass(error) or not self.wait(str(error)):
                    raise

    def wait(self, why: str = "") -> bool:
        """Wait a little before the next try; False if there is no time for one."""
        left = self._end - self._clock.monotonic()
        if left <= 0:
            return False
        pause = min(self._pause_seconds, left)
        if why:
            self._say(f"{why} Trying again in {pause:.0f} s.")
        self._clock.sleep(pause)
        self._pause_seconds = min(2 * self._pause_seconds, _LONGEST_PAUSE_SECONDS)
        return True
