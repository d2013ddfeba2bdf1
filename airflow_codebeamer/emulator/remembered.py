"""Baseline: what is remembered of a project or a tracker, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Baseline"]


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
