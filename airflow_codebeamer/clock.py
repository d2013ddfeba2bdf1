"""The only caller of time functions, so that tests own the time."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

__all__ = ["Clock", "ManualClock", "SystemClock"]


class Clock(Protocol):
    """What time it is, how much has passed, and how to wait."""

    def now(self) -> datetime:
        """Return the wall-clock time, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards, time asleep included."""

    def sleep(self, seconds: float) -> None:
        """Wait that long; zero and less return at once."""


class SystemClock:
    """The machine's own clock.

    Uses `CLOCK_BOOTTIME` where the system has it: `CLOCK_MONOTONIC` stands
    still while a machine sleeps (PEP 418), and a lease does not.
    """

    def now(self) -> datetime:
        """Return the wall-clock time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since boot, time asleep included where the system can."""
        boottime = getattr(time, "CLOCK_BOOTTIME", None)
        return time.monotonic() if boottime is None else time.clock_gettime(boottime)

    def sleep(self, seconds: float) -> None:
        """Wait that long; zero and less return at once."""
        if seconds > 0:
            time.sleep(seconds)


class ManualClock:
    """A clock that moves only when told to; sleeping moves it at once.

    Example:
        >>> clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
        >>> clock.sleep(90)
        >>> clock.now().isoformat()
        '2026-01-01T00:01:30+00:00'
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._start = start or datetime(2026, 1, 1, tzinfo=UTC)
        self._passed_seconds = 0.0
        self._guard = threading.Lock()

    def now(self) -> datetime:
        """Return the start plus all that was slept or advanced."""
        with self._guard:
            return self._start + timedelta(seconds=self._passed_seconds)

    def monotonic(self) -> float:
        """Return the seconds that were slept or advanced."""
        with self._guard:
            return self._passed_seconds

    def sleep(self, seconds: float) -> None:
        """Move the clock forward and return at once."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move the clock forward; negative spans are ignored."""
        with self._guard:
            self._passed_seconds += max(0.0, seconds)
