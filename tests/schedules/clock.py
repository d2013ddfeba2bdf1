"""A clock that can be set back to where it was, and does what is due on its way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

__all__ = ["START", "DueClock", "StoreClock"]

START = datetime(2026, 1, 1, tzinfo=UTC)


class DueClock:
    """Time that only passes by sleeping; `due` is told each time that some has."""

    def __init__(self, due: Callable[[float], None]) -> None:
        self.seconds = 0.0
        self._due = due

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.seconds += seconds
            self._due(self.seconds)


class StoreClock:
    """The store's clock: the same time, unless it jumped."""

    def __init__(self, clock: DueClock) -> None:
        self.jumped = 0.0
        self._clock = clock

    def now(self) -> datetime:
        return self._clock.now() + timedelta(seconds=self.jumped)

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)
