"""Flow: a workflow as a graph, and the shortest way through it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

__all__ = ["Flow", "status_of"]


class Flow:
    """The allowed steps between statuses; 0 is "not there yet"."""

    def __init__(self, steps: Iterable[tuple[int, int]]) -> None:
        self.steps = tuple(sorted(set(steps)))
        self._next: dict[int, list[int]] = {}
        for before, after in self.steps:
            self._next.setdefault(before, []).append(after)

    @property
    def first(self) -> int | None:
        """The status of a new item, None if there is not just one."""
        found = self._next.get(0, [])
        return found[0] if len(found) == 1 else None

    def way(self, before: int, after: int) -> tuple[int, ...] | None:
        """Return the statuses from the next to the wanted one, None if no way leads.

        Of several shortest ways it is the one with the smallest numbers, on
        every machine.
        """
        came: dict[int, int] = {before: before}
        waiting = deque([before])
        while waiting and after not in came:
            here = waiting.popleft()
            for there in self._next.get(here, []):
                if there not in came:
                    came[there] = here
                    waiting.append(there)
        if after not in came:
            return None
        way: list[int] = []
        while after != before:
            way.append(after)
            after = came[after]
        return tuple(reversed(way))


def status_of(value: object) -> int:
    """Return the status that a status field holds, 0 if none."""
    return int(value[0]) if isinstance(value, tuple) and value else 0
