"""OwedRights: what one role has still to get back; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_codebeamer.locking.permissions import NOTHING, spell
from airflow_codebeamer.locking.roles import RoleEntry

__all__ = ["OwedRights"]


@dataclass(frozen=True)
class OwedRights:
    """The rights, by name, that a lock took from a role and that are not back."""

    role: str
    role_id: int
    rights: tuple[str, ...]

    @classmethod
    def of(cls, entry: RoleEntry) -> OwedRights:
        """Return what is owed to a role, by what the server showed of it last."""
        seen = entry.base if entry.observed is None else entry.observed
        owed = entry.left - (NOTHING if seen is None else seen)
        names = (spell(frozenset({right}), entry.names) for right in owed)
        return cls(entry.name, entry.role_id, tuple(sorted(names)))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON would have it."""
        return {"role": self.role, "role_id": self.role_id, "rights": [*self.rights]}
