"""Permissions of a held tracker, read again and again: who got a write right back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_codebeamer.errors import LockDriftedError, LockLostError
from airflow_codebeamer.ids import RoleId
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.lookout import Lookout
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.permissions import Permissions, Rights
from airflow_codebeamer.locking.rights.drift import DRIFT, TAKEN
from airflow_codebeamer.locking.rights.reducing import Reducing
from airflow_codebeamer.locking.rights.writing import RoleWriter

__all__ = ["RoleWatch"]


class RoleWatch(Lookout):
    """Looks at a held tracker's permissions every `watch`, if that is not 0.

    One request a look. A role whose drift is known already is not told again. With
    `on_drift` "relock" the journal's original is amended by what somebody granted
    before it is taken away, so it is there after the release; with "fail"
    `on_failed` gets the word to stop. In a freeze the role of whoever holds it is
    looked at like every other.

    Not promised: that nobody writes between two looks. A server that does not
    answer is asked again at the next one.
    """

    subject = "its permissions are"

    def __init__(
        self,
        parts: Parts,
        lock: Lock,
        on_failed: Callable[[LockLostError], None],
        **more: Any,
    ) -> None:
        super().__init__(parts, lock, on_failed, **more)
        self._known: dict[RoleId, Rights] = {}

    def look(self) -> list[str]:
        """Read the permissions once; return the names of roles with new drift.

        Raises:
            LockLostError: the lock is not ours any more.
            LockDriftedError: there is drift, and `on_drift` is "fail".
            CodebeamerError: the server or the store did not let us.
        """
        now = self._parts.read(self._lock.tracker_id)
        entries = self._parts.ledger.list_roles(self._lock.lineage)
        writer = RoleWriter(self._parts, self._lock, entries, now)
        reducing = Reducing(self._parts, self._lock)
        excess = reducing.list_excess(writer)
        new = {
            role: rights
            for role, rights in excess.items()
            if rights - self._known.get(role, frozenset())
        }
        said = [self._record(writer, now, role, new[role]) for role in new]
        self._known = excess
        policy = self._parts.settings.on_drift
        if policy == "relock" and excess:
            reducing.take_again(writer)
            self._taken(now, excess)
            self._known = {}
        if policy == "fail" and new:
            raise LockDriftedError(
                self._lock.tracker_id, epoch=self._lock.epoch, drift=said
            )
        return [now.name_of(role) for role in new]

    def _record(
        self, writer: RoleWriter, now: Permissions, role: RoleId, rights: Rights
    ) -> str:
        detail: dict[str, Any] = {
            "role": now.name_of(role),
            "role_id": role,
            "rights": writer.spell(rights),
            "policy": self._parts.settings.on_drift,
            "is_new_role": role not in writer.entries,
            "taken": False,
        }
        self._write_down(DRIFT, detail)
        line = f"role {detail['role']} may {detail['rights']} again"
        self._parts.say(
            f"Tracker {self._lock.tracker_id}: somebody changed permissions while it "
            f"is held: {line} (on_drift is {detail['policy']}; the server does not "
            "say who it was, its audit trail does)."
        )
        return line

    def _taken(self, now: Permissions, excess: dict[RoleId, Rights]) -> None:
        """Write down, and tell, that what was found is away again."""
        names = ", ".join(now.name_of(role) for role in excess)
        self._write_down(TAKEN, {"role_ids": sorted(excess)})
        self._parts.say(
            f"Tracker {self._lock.tracker_id}: taken away again from {names}; it comes "
            "back when the lock is released."
        )
