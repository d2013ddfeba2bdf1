"""RoleEntry: what the journal knows of one role during a lineage; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
    #: Others changed it, and the policy is to ask a person.
    WAITING = "waiting"
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

    `granted` is what others gave it while the tracker was held and the lock took
    again; `first_original` is the original without that, None if it is the same.
    `answer` is what a person decided of it, `revision` counts amendments.
    `renamed` is what the server calls it now, if that is not `name`; not stored.
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
    granted: Rights = NOTHING
    first_original: Rights | None = None
    answer: str = ""
    revision: int = 0
    renamed: str = ""
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

    def taken_again(self, current: Rights, kept: Rights) -> RoleEntry:
        """Return the entry as it must be before a held lock reduces the role to `kept`.

        Whatever others granted is added to the original first.
        """
        original = self.amended(current) if self.touched else current
        first = self.first_original
        if first is None and original != self.original:
            first = self.original
        return replace(
            self,
            original=original,
            first_original=first,
            granted=self.granted | (current - kept),
            base=self.base if self.touched else kept,
            touched=True,
            phase=Phase.REDUCING,
        )

    @property
    def _base(self) -> Rights:
        return self.original if self.base is None else self.base
