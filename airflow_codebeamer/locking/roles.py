"""RoleEntry: what the journal knows of one role during a lineage; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from airflow_codebeamer.ids import PermissionId, RoleId
from airflow_codebeamer.locking.permissions import NOTHING, Rights, merge

__all__ = ["Phase", "RoleEntry"]


class Phase(StrEnum):
    """How far a role came; `touched` in its entry decides, this is for people."""

    #: It keeps its rights while the tracker is locked.
    EXCLUSIVE = "exclusive"
    UNTOUCHED = "untouched"
    REDUCING = "reducing"
    REDUCED = "reduced"
    RESTORING = "restoring"
    #: Read back from the server with all it must have.
    RESTORED = "restored"
    #: The server does not have this role any more.
    GONE = "gone"


@dataclass(frozen=True)
class RoleEntry:
    """One role of one lineage.

    `original` is what it must get back, edits of others apart. `base` is what
    the server answered to our first write of this role, or what we sent if no
    answer came; it never moves afterwards. `floor` is what the server would
    not take away. `touched` is set, durably, before the first write.
    """

    role_id: RoleId
    name: str
    original: Rights
    base: Rights | None = None
    floor: Rights = NOTHING
    touched: bool = False
    phase: Phase = Phase.UNTOUCHED
    merged: Rights | None = None
    observed: Rights | None = None
    names: Mapping[PermissionId, str] = field(default_factory=dict, repr=False)

    @property
    def is_owed(self) -> bool:
        """Whether this role may still lack something because of us."""
        return self.touched and self.phase is not Phase.GONE

    @property
    def left(self) -> Rights:
        """What the last restore left it with, or would have, had it sent anything."""
        return self.original if self.merged is None else self.merged

    def back(self, current: Rights) -> Rights:
        """Return what the role must have, given what it has now."""
        return merge(self.original, self._base, current)

    def amended(self, current: Rights) -> Rights:
        """Return the original, with what others granted since we reduced it."""
        return self.original | (current - self._base)

    @property
    def _base(self) -> Rights:
        return self.original if self.base is None else self.base
