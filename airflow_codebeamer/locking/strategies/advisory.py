"""Advisory: the record alone, for accounts that may not change permissions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow_codebeamer.locking.audit.witness import begin_witness
from airflow_codebeamer.locking.escrow.noticing import NoticeBoard
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.permissions import Permissions
from airflow_codebeamer.locking.pulse import Pulse
from airflow_codebeamer.locking.rights.preflight import Preflight, inspect_tracker
from airflow_codebeamer.locking.rights.restoring import Restoring
from airflow_codebeamer.locking.rights.writing import RoleWriter
from airflow_codebeamer.locking.states import LockState
from airflow_codebeamer.locking.strategies.strategy import Strategy
from airflow_codebeamer.locking.wish import Wish

__all__ = ["Advisory", "Returning"]


class Advisory(Strategy):
    """The record and, if it is asked for, the certificate; nothing on the server.

    Keeps our own runs apart, and says afterwards who else wrote.
    """

    name = "advisory"
    promise = (
        "nothing is changed on the server: it keeps only those apart who use this lock "
        "store, and everybody else may go on writing"
    )

    def preflight(self, parts: Parts, wish: Wish) -> Preflight:
        """Look whether the tracker is there: one request."""
        return inspect_tracker(parts, wish.tracker_id, self.promise)

    def enter(
        self, parts: Parts, lock: Lock, wish: Wish, notice: NoticeBoard
    ) -> _Announcing:
        """Write the record on to held."""
        return _Announcing(parts, lock)

    def verify(self, parts: Parts, lock: Lock) -> Sequence[str]:
        """Return nothing: nothing was promised."""
        return ()

    def leave(self, parts: Parts, lock: Lock, *, by: str = "") -> Returning:
        """Undo what runs left open, and free the record."""
        return Returning(parts, lock, by=by)


class _Announcing:
    def __init__(self, parts: Parts, lock: Lock) -> None:
        self._parts = parts
        self.lock = lock

    def run(self, account: Preflight | None, lease: timedelta) -> Lock:
        parts = self._parts
        if self.lock.state is LockState.GRANTED:
            with parts.store.fenced(self.lock, parts.settings.ttl) as connection:
                self.lock = parts.store.to_locking(
                    self.lock, connection, role="", policy=""
                )
        pulse = Pulse(parts)
        pulse.start(self.lock)
        try:
            begin_witness(parts, self.lock)
        finally:
            pulse.stop()
        sent = parts.deadlines.now()
        held = parts.store.hold(self.lock, lease=lease, detail={"reduced": []})
        parts.deadlines.note(held, sent, lease)
        return held


class Returning(Restoring):
    """A way back on which no role is touched, since none was."""

    def _restore(self) -> RoleWriter:
        return RoleWriter(self._parts, self._lock, {}, Permissions({}))

    def _fingerprint(self, digest: str | None) -> Mapping[str, Any]:
        return self._lock.fingerprint or {}
