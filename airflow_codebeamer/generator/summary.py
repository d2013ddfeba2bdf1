"""What a run did, and what was undone of runs: values for reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["RunSummary", "UndoReport", "summed"]


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


def summed(
    counts: Mapping[str, int],
    *,
    warnings: tuple[str, ...] = (),
    requests: int = 0,
    seconds: float = 0.0,
    run_id: str = "",
) -> RunSummary:
    """Return the summary of what was counted, by a plan or by looking again."""
    return RunSummary(
        created=counts["created"],
        updated=counts["updated"],
        moved=counts["moved"],
        unchanged=counts["unchanged"],
        pruned=counts["pruned"],
        warnings=warnings,
        requests=requests,
        seconds=round(seconds, 3),
        run_id=run_id,
    )


@dataclass(frozen=True)
class UndoReport:
    """What was undone of open runs, and what could not be: a line each."""

    undone: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
