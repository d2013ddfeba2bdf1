"""What a run did, and what was undone of runs: values for reports."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["RunSummary", "UndoReport"]


@dataclass(frozen=True)
class RunSummary:
    """What a run did, in numbers; JSON-able.

    `run_id` is empty when there was nothing to write.
    """

    created: int = 0
    updated: int = 0
    moved: int = 0
    unchanged: int = 0
    pruned: int = 0
    warnings: tuple[str, ...] = ()
    requests: int = 0
    seconds: float = 0.0
    run_id: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON would have them."""
        return {**asdict(self), "warnings": list(self.warnings)}


@dataclass(frozen=True)
class UndoReport:
    """What was undone of open runs, and what could not be: a line each."""

    undone: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
