"""The lock as a program sees it: a file that says until when it may write."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from airflow_codebeamer.clock import Clock

__all__ = ["Lease", "LeaseFile"]


@dataclass(frozen=True)
class Lease:
    """The lock under which a program runs.

    `guard` raises when it is lost, `left_seconds` says how long the last renewal
    is good for.
    """

    guard: Callable[[], None]
    left_seconds: Callable[[], float]


class LeaseFile:
    """The file `CB_GEN_LEASE`: `state`, `deadline` and `reason`.

    It is replaced whole each time, so nobody reads half of it.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock

    def hold(self, left_seconds: float) -> None:
        """Say that the lock is held, and for how long."""
        self._write("held", left_seconds, "")

    def lose(self, reason: str) -> None:
        """Say that nothing may be written any more, and why."""
        self._write("lost", 0.0, reason)

    def release(self) -> None:
        """Say that the work is over."""
        self._write("released", 0.0, "")

    def _write(self, state: str, left_seconds: float, reason: str) -> None:
        deadline = self._clock.now() + timedelta(seconds=left_seconds)
        # The keeper counts on a clock that nobody sets, time asleep included.
        clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        said = {
            "state": state,
            "deadline": deadline.isoformat(timespec="seconds"),
            "reason": reason,
            "until_boottime": time.clock_gettime(clock) + left_seconds,
        }
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(said), encoding="utf-8")
        os.replace(fresh, self._path)
