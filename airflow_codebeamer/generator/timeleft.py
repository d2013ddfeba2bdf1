"""How far a run is, and how long it will still take, in words."""

from __future__ import annotations

from datetime import timedelta

from airflow_codebeamer.clock import Clock, SystemClock
from airflow_codebeamer.skeleton import Progress

__all__ = ["TimeLeft"]

#: Before that, a guess says more about luck than about time.
_ENOUGH_SECONDS = 2.0


class TimeLeft:
    """Watches the progress of a run and says when a phase will be over.

    The guess is the average so far: at a steady pace, which is what a server's
    throttle makes of any run, it is good; it knows nothing of phases to come.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._phase = ""
        self._began_seconds = 0.0
        self._began_done = 0

    def note(self, progress: Progress) -> timedelta | None:
        """Return how long the phase will still take, None while nobody can say."""
        now = self._clock.monotonic()
        if progress.phase != self._phase or progress.done < self._began_done:
            self._phase, self._began_seconds = progress.phase, now
            self._began_done = progress.done
            return None
        passed, done = now - self._began_seconds, progress.done - self._began_done
        left = progress.total - progress.done
        if left <= 0 or done <= 0 or passed < _ENOUGH_SECONDS:
            return None
        return timedelta(seconds=round(passed / done * left))

    def tell(self, progress: Progress) -> str:
        """Return the progress as a line for people."""
        left = self.note(progress)
        if not progress.total:
            return f"{progress.phase}: {progress.done:,}"
        percent = 100 * progress.done // progress.total
        line = (
            f"{progress.phase}: {progress.done:,} of {progress.total:,} ({percent} %)"
        )
        return line if left is None else f"{line}, {left} left"
