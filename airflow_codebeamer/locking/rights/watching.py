"""Permissions of a held tracker, read again and again: who got a write right back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from airflow_codebeamer.errors import (
    CodebeamerError,
    LockDriftedError,
    LockLostError,
)
from airflow_codebeamer.ids import RoleId
from airflow_codebeamer.locking.lock import FREEZE, ROLE_PERMISSIONS, Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.permissions import Permissions, Rights
from airflow_codebeamer.locking.rights.drift import DRIFT
from airflow_codebeamer.locking.rights.reducing import Reducing
from airflow_codebeamer.locking.rights.writing import RoleWriter

__all__ = ["RoleWatch"]


class RoleWatch:
    """Looks at a held tracker's permissions every `watch`, if that is not 0.

    One request a look. A role whose drift is known already is not told again. With
    `on_drift` "relock" the journal's original is amended by what somebody granted
    before it is taken away, so it is there after the release; with "fail"
    `on_failed` gets the word to stop.

    Not promised: that nobody writes between two looks. A server that does not
    answer is asked again at the next one.
    """

    def __init__(
        self, parts: Parts, lock: Lock, on_failed: Callable[[LockLostError], None]
    ) -> None:
        self._parts = parts
        self._lock = lock
        self._on_failed = on_failed
        self._known: dict[RoleId, Rights] = {}
        self._trouble = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look every `watch` until `stop`; nothing if that is 0.

        Nor of a lock that takes no rights of roles, which has nothing to take again,
        nor of a freeze: no holder of it may change what belongs to all.
        """
        is_reduced = self._lock.strategy == ROLE_PERMISSIONS
        is_reduced = is_reduced and self._lock.mode != FREEZE
        if is_reduced and self._parts.settings.watch and self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name=f"watch-{self._lock.tracker_id}", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End the thread; a look under way is waited for."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

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
        }
        # Only a holder may speak of his lock: a zombie's look is nobody's drift.
        with self._parts.store.fenced(self._lock, self._parts.settings.ttl) as inside:
            self._parts.history.record(self._lock, DRIFT, detail, within=inside)
        line = f"role {detail['role']} may {detail['rights']} again"
        self._parts.say(
            f"Tracker {self._lock.tracker_id}: somebody changed permissions while it "
            f"is held: {line} (on_drift is {detail['policy']})."
        )
        return line

    def _run(self) -> None:
        # Real time on purpose, like the beat.
        while not self._stop.wait(self._parts.settings.watch.total_seconds()):
            try:
                self.look()
            except LockLostError as error:
                self._on_failed(error)
                return
            except CodebeamerError as error:
                self._tell(str(error))
            else:
                self._trouble = ""

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._parts.say(
                f"Tracker {self._lock.tracker_id}: its permissions are not watched at "
                f"the moment: {trouble}"
            )
        self._trouble = trouble
