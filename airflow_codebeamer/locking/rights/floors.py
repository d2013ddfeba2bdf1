"""What a server will not take away from a role, although we asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from airflow_codebeamer.errors import LockRefusedError
from airflow_codebeamer.ids import RoleId
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.permissions import (
    ADMIN_MINIMUM,
    NOTHING,
    Rights,
    freeze,
)
from airflow_codebeamer.locking.rights.writing import RoleWriter
from airflow_codebeamer.locking.roles import RoleEntry

__all__ = ["Floors"]


class Floors:
    """Decides when what is left of a role's rights is its floor.

    A server normalises: it answers with less than the role had and more than we
    sent, and shows the same when it is read again. A request that changed
    nothing at all is repeated first, `tries` times in all, unless what is left
    is no more than a project administrator's known minimum.
    """

    def __init__(self, parts: Parts, lock: Lock, *, tries: int) -> None:
        self._parts = parts
        self._lock = lock
        self._tries = tries
        self._sent: Counter[RoleId] = Counter()
        self._answers: dict[RoleId, tuple[Rights, Rights | None]] = {}

    def note(self, role_id: RoleId, before: Rights, answer: Rights | None) -> None:
        """Remember what one request made of a role."""
        self._sent[role_id] += 1
        self._answers[role_id] = (before, answer)

    def accept(self, writer: RoleWriter) -> None:
        """Journal the floors that the read in `writer` confirms."""
        for role_id in self._answers:
            entry = writer.entries[role_id]
            rights = writer.current.of_role(role_id)
            left = rights - freeze(
                rights, writer.current.names, self._parts.settings.read_only
            )
            names = {writer.current.names.get(right, "") for right in left}
            if left - entry.floor and self._is_floor(role_id, rights, names):
                self._record(writer, entry, left)

    def judge(self, writer: RoleWriter) -> None:
        """Say what the floors are, or refuse the lock, as the settings want.

        Raises:
            LockRefusedError: there are floors, and `on_floor` is "fail".
        """
        said = [
            f"role {entry.name} keeps {writer.spell(entry.floor)}, the server does not "
            "take it away"
            for entry in writer.entries.values()
            if entry.floor
        ]
        if said and self._parts.settings.on_floor == "fail":
            raise LockRefusedError(self._lock.tracker_id, said)
        for sentence in said:
            self._parts.say(f"Tracker {self._lock.tracker_id}: {sentence}.")

    def _is_floor(self, role_id: RoleId, rights: Rights, left: set[str]) -> bool:
        if self._sent[role_id] >= self._tries:
            return True
        before, answer = self._answers[role_id]
        if rights != answer:
            return False
        return rights != before or left <= ADMIN_MINIMUM

    def _record(self, writer: RoleWriter, entry: RoleEntry, left: Rights) -> None:
        entry = replace(entry, floor=left or NOTHING)
        self._parts.ledger.keep(
            writer.lock,
            entry,
            lease=self._parts.settings.ttl,
            event="floor",
            detail={"role": entry.name, "kept": writer.spell(left)},
        )
        writer.entries[entry.role_id] = entry
