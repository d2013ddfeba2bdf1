"""What the journal holds: frozen values, nothing here does anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

__all__ = ["JSON", "Entry"]

#: Anything that `json` writes and reads back unchanged. Never a secret.
JSON: TypeAlias = Any


@dataclass(frozen=True)
class Entry:
    """Something we were about to do, and what became of it.

    `scope` is whose undertaking it belongs to (a lineage of a lock, a run),
    `kind` and `key` say what was to be done to which thing. An entry without
    `finished_at` is open: the deed may or may not have happened.
    """

    number: int
    scope: str
    kind: str
    key: str
    epoch: int
    intent: JSON
    begun_at: datetime
    outcome: JSON = None
    finished_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether nobody has said yet what became of it."""
        return self.finished_at is None
