"""Linked: the associations between items, and their predefined types."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["ASSOCIATION_TYPES", "Association"]

ASSOCIATION_TYPES: dict[int, str] = {
    1: "depends",
    2: "parent",
    3: "child",
    4: "related",
    5: "derived",
    6: "violates",
    7: "excludes",
    8: "invalidates",
    9: "copy of",
}
"""Types are predefined: nobody can make, change or delete one."""


@dataclass
class Association:
    """A link from an item to another one, or to an address outside.

    `properties` holds what may change: type, description and propagation.
    """

    id: int
    start: int
    end: int | None
    url: str
    created_at: str
    created_by: int
    properties: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)

    def references(self) -> list[tuple[str, int | None]]:
        """Return what must be there for this to make sense."""
        return [("items", self.start), ("items", self.end)]
