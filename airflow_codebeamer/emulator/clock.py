"""WorldClock: the emulator's time, which can be set, advanced and stopped."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["WorldClock", "stamp"]


class WorldClock:
    """Real time plus an offset, or a moment that stands still."""

    def __init__(self) -> None:
        self._offset = timedelta(0)
        self._stopped: datetime | None = None
        self._held: datetime | None = None

    def now(self) -> datetime:
        """Return the emulator's time as an aware datetime in UTC."""
        if self._held is not None:
            return self._held
        if self._stopped is not None:
            return self._stopped
        return datetime.now(UTC) + self._offset

    def advance(self, seconds: float) -> None:
        """Move the time; a stopped clock moves and stays stopped."""
        step = timedelta(seconds=seconds)
        if self._stopped is not None:
            self._stopped += step
        else:
            self._offset += step

    def set(self, moment: datetime) -> None:
        """Make it that moment now, and let time go on from there."""
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        if self._stopped is not None:
            self._stopped = moment
        else:
            self._offset = moment - datetime.now(UTC)

    def stop(self) -> None:
        """Let time stand still."""
        self._stopped = self.now()

    def start(self) -> None:
        """Let time go on from where it stood."""
        if self._stopped is not None:
            moment, self._stopped = self._stopped, None
            self.set(moment)

    def reset(self) -> None:
        """Return to real time."""
        self._offset = timedelta(0)
        self._stopped = None

    @contextlib.contextmanager
    def held(self, moment: datetime | None = None) -> Iterator[datetime]:
        """Let one call happen at one moment, the present one if none is given."""
        before, self._held = self._held, moment or self.now()
        try:
            yield self._held
        finally:
            self._held = before

    def dump(self) -> dict[str, Any]:
        """Return what is set, as JSON."""
        stopped = None if self._stopped is None else self._stopped.isoformat()
        return {"offset_seconds": self._offset.total_seconds(), "stopped": stopped}

    def load(self, data: Mapping[str, Any]) -> None:
        """Set what was set when it was dumped."""
        self._offset = timedelta(seconds=data["offset_seconds"])
        stopped = data["stopped"]
        self._stopped = None if stopped is None else datetime.fromisoformat(stopped)

    @property
    def is_stopped(self) -> bool:
        """Tell whether time stands still."""
        return self._stopped is not None


def stamp(moment: datetime) -> str:
    """Write a moment as Codebeamer's examples do: milliseconds, no zone."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
