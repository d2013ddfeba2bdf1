"""Freezing: one owner's way to a tracker that nobody may write to."""

from __future__ import annotations

from dataclasses import replace

from airflow_codebeamer.locking.acquire import Acquisition
from airflow_codebeamer.locking.lock import FREEZE, Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.states import LockState
from airflow_codebeamer.locking.takeover import Watch
from airflow_codebeamer.locking.wish import Wish

__all__ = ["Freezing"]


class Freezing(Acquisition):
    """Begins a freeze, or joins the one that there is.

    Who begins takes the lock as any other, under a name of its own and with no
    exclusive role; then he joins it like everybody else. If he dies before that,
    the record's lease runs out, and recovery restores it.
    """

    def __init__(self, parts: Parts, watch: Watch, wish: Wish) -> None:
        self._holder = wish.owner
        begun = replace(wish, owner=wish.owner.as_freezer(), mode=FREEZE)
        super().__init__(parts, watch, replace(begun, exclusive_role=""))

    def _find_way(self, seen: Lock | None, *, may_try: bool) -> Lock | None:
        if seen is not None and self._is_reserved(seen):
            # The run's own reservation was of the tracker alone.
            self._parts.store.give_back(seen)
            return None
        if seen is not None and seen.mode == FREEZE and seen.state is LockState.HELD:
            is_in = bool(self._parts.store.list_holders(seen, self._holder.key))
            lock = self._join(seen, is_in=is_in) if is_in or may_try else None
            if lock is None:
                self.recover_dead(seen)
            return lock
        lock = super()._find_way(seen, may_try=may_try)
        return None if lock is None else self._join(lock, is_in=True)

    def _is_reserved(self, seen: Lock) -> bool:
        return seen.state is LockState.GRANTED and seen.owner.key == self._holder.key

    def _join(self, seen: Lock, *, is_in: bool) -> Lock | None:
        """Join, in turn unless we are in already, or began it."""
        sent = self._parts.deadlines.now()
        joined = self._parts.store.join_freeze(
            seen,
            self._holder,
            ticket_of=self._wish.owner.key,
            in_turn=not is_in,
            reason=self._wish.reason,
            lease=self._wish.lease,
        )
        if joined is not None:
            self._parts.deadlines.note(joined, sent, self._wish.lease)
        return joined
