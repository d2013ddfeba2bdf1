"""Pace: how many requests may leave per second and per minute, for all threads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import floor

from airflow_codebeamer.clock import Clock

__all__ = ["Limit", "Pace", "limits"]

#: The shortest sleep: steps over what a float cannot show of a long uptime.
_TICK_SECONDS = 1e-6


@dataclass(frozen=True)
class Limit:
    """At most `count` requests in any span of `span_seconds`."""

    count: int
    span_seconds: float


def limits(per_second: float | None, per_minute: float | None) -> tuple[Limit, ...]:
    """Return the limits of two rates; None means no limit.

    A rate below one becomes one request in a longer span; a fraction above
    one is dropped, because half a request cannot be sent.
    """
    rates = ((per_second, 1.0), (per_minute, 60.0))
    return tuple(_limit(rate, span) for rate, span in rates if rate is not None)


def _limit(rate: float, span_seconds: float) -> Limit:
    if rate < 1:
        return Limit(1, span_seconds / rate)
    return Limit(floor(rate), span_seconds)


class Pace:
    """Let requests go one after the other, never faster than the limits.

    Windows slide: no span of a limit's length ever holds more requests than
    the limit says. Threads leave in the order in which they came, and only the
    first of them sleeps; the others wait for it without looking at a clock.

    Not promised: other processes, and other clients in this one, know nothing
    of this pace. The server's own throttle is obeyed through `hold`.
    """

    def __init__(self, limits: Sequence[Limit], clock: Clock) -> None:
        self._clock = clock
        self._windows = [(limit, deque[float](maxlen=limit.count)) for limit in limits]
        self._line = _Line()
        self._guard = threading.Lock()
        self._held_until = float("-inf")

    def wait(self) -> None:
        """Return when one more request may be sent, and count it as sent."""
        with self._line.turn():
            while (wait_seconds := self._wait_seconds()) > 0:
                self._clock.sleep(max(wait_seconds, _TICK_SECONDS))
            now = self._clock.monotonic()
            for _, sent in self._windows:
                sent.append(now)

    def hold(self, seconds: float) -> None:
        """Let nobody go for that long from now: the server asked for it."""
        with self._guard:
            until = self._clock.monotonic() + seconds
            self._held_until = max(self._held_until, until)

    def _wait_seconds(self) -> float:
        with self._guard:
            free_at = self._held_until
        for limit, sent in self._windows:
            if len(sent) == limit.count:
                free_at = max(free_at, sent[0] + limit.span_seconds)
        return free_at - self._clock.monotonic()


class _Line:
    """People in a line: first come, first served (a lock promises no order)."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._busy = False
        self._waiting: deque[threading.Event] = deque()

    @contextmanager
    def turn(self) -> Iterator[None]:
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def _enter(self) -> None:
        with self._guard:
            if not self._busy:
                self._busy = True
                return
            mine = threading.Event()
            self._waiting.append(mine)
        try:
            mine.wait()
        except BaseException:
            # A signal may end the wait (a task's timeout does). Whoever was
            # called in that moment has to call the next one.
            self._give_up(mine)
            raise

    def _give_up(self, mine: threading.Event) -> None:
        with self._guard:
            if mine in self._waiting:
                self._waiting.remove(mine)
                return
        self._leave()

    def _leave(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._busy = False
