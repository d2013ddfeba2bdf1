"""What the server remembers beside its things: baselines, and jobs it still does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Baseline", "Job"]


@dataclass
class Baseline:
    """A moment of a project, or of one tracker of it.

    `roots` maps trackers to what stood at their top; `places` holds, for each item,
    its id, version, parent and children.
    """

    id: int
    project: int
    tracker: int | None
    name: str
    description: str
    created_at: str
    created_by: int
    roots: dict[int, list[int]] = field(default_factory=dict)
    places: list[list[Any]] = field(default_factory=list)

    def references(self) -> list[tuple[str, int | None]]:
        """Return what must be there for this to make sense."""
        wanted: list[tuple[str, int | None]] = [
            ("projects", self.project),
            ("trackers", self.tracker),
        ]
        wanted += [("trackers", number) for number in self.roots]
        wanted += [("items", place[0]) for place in self.places]
        return wanted


@dataclass
class Job:
    """What the server does in the background after the request that started it.

    Each of its `steps` has a `name` and `seconds` that it takes, and may have a
    `request` (`method`, `path`, `body`) that is done when they are over. The first
    begins at `begins`, in seconds since 1970; `done` of them are over.
    """

    id: int
    kind: str
    user: int
    created_at: str
    begins: float
    steps: list[dict[str, Any]] = field(default_factory=list)
    done: int = 0
    finished_at: str = ""

    def next_end(self) -> float | None:
        """Return when its next step is over, None if all are."""
        if self.done >= len(self.steps):
            return None
        under_way = self.steps[: self.done + 1]
        return self.begins + sum(float(step["seconds"]) for step in under_way)

    def references(self) -> list[tuple[str, int | None]]:
        """Return what must be there for this to make sense."""
        return [("users", self.user)]
