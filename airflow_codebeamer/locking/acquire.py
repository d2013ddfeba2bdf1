"""The way to a lock: take what is free, go on with what is ours, wait, recover."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import timedelta

from airflow_codebeamer.errors import (
    CodebeamerError,
    DatabaseError,
    LockLostError,
    LockRefusedError,
    RestorePendingError,
)
from airflow_codebeamer.locking.escrow.noticing import NoticeBoard
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.release import dirt_of, release
from airflow_codebeamer.locking.rights.preflight import Preflight
from airflow_codebeamer.locking.states import LockState
from airflow_codebeamer.locking.strategies import find_strategy, strategy_of
from airflow_codebeamer.locking.takeover import Watch, take_over
from airflow_codebeamer.locking.twins import Twins
from airflow_codebeamer.locking.waiting import Waiting, head_start, held
from airflow_codebeamer.locking.wish import Wish

__all__ = ["Acquisition", "grant_all", "waiting_of"]


def grant_all(parts: Parts, wish: Wish, lease: timedelta) -> tuple[Lock, ...]:
    """Write the records of free trackers, all or none; () if not free, or kept."""
    sent = parts.deadlines.now()
    granted = parts.store.grant_all(
        parts.server,
        wish.trackers,
        wish.owner,
        reason=wish.reason,
        lease=lease,
        head_start=head_start(parts, wish.priority),
        means=wish.means,
    )
    for lock in granted:
        parts.deadlines.note(lock, sent, lease)
    return granted


def waiting_of(parts: Parts, wish: Wish) -> Waiting:
    """Return the way of a wish through the queue."""
    return Waiting(
        parts,
        wish.trackers,
        wish.owner,
        priority=wish.priority,
        reason=wish.reason,
    )


class Acquisition:
    """One owner's way to one tracker."""

    def __init__(self, parts: Parts, watch: Watch, wish: Wish) -> None:
        self._parts = parts
        self._watch = watch
        self._wish = wish
        self.waiting = waiting_of(parts, wish)
        self.twins = Twins(parts, wish.owner)
        self._board = NoticeBoard(parts, wish.tracker_id)
        self._has_told = False

    def run(self) -> Lock:
        """Return the lock, held; see `LockEngine.acquire`."""
        try:
            return self._run()
        except BaseException:
            self.waiting.rest()
            raise

    def _run(self) -> Lock:
        end = self._parts.clock.monotonic() + self._wish.wait_for.total_seconds()
        while True:
            may_try = self.waiting.may_try()
            with self.twins.one_at_a_time():
                seen = self.find()
                lock = self._find_way(seen, may_try=may_try)
            if lock is not None:
                return lock
            self.wait(end)

    def _find_way(self, seen: Lock | None, *, may_try: bool) -> Lock | None:
        if seen is None or seen.state is LockState.FREE:
            return self._take_free() if may_try else None
        if self.is_mine(seen):
            return None if self.twins.is_at_work(seen) else self._take_own(seen)
        self.recover_dead(seen)
        return None

    def find(self) -> Lock | None:
        """Return the tracker's record."""
        return self._parts.store.find(self._parts.server, self._wish.tracker_id)

    def is_mine(self, seen: Lock) -> bool:
        """Say whether a record is this owner's to go on with."""
        return seen.owner.key == self._wish.owner.key and seen.breaking is None

    def _take_free(self) -> Lock | None:
        account = self.inspect()
        granted = grant_all(self._parts, self._wish, self._parts.settings.ttl)
        return self.reduce(granted[0], account) if granted else None

    def _take_own(self, seen: Lock) -> Lock | None:
        if seen.state is LockState.HELD:
            return self.take_held(seen)
        if seen.state is LockState.RESTORING:
            release(self._parts, seen.tracker_id, seen.owner.key, None)
            return None
        account = None
        if seen.state is LockState.GRANTED:
            account = self.inspect_or_give_back(seen)
        adopted = self.adopt(seen)
        return None if adopted is None else self.reduce(adopted, account)

    def adopt(self, seen: Lock) -> Lock | None:
        """Go on, under a new epoch, with a lock that an earlier try began."""
        if self._board.has_raised:
            seen = self.find() or seen
        ttl = self._parts.settings.ttl
        sent = self._parts.deadlines.now()
        adopted = self._parts.store.adopt(
            seen,
            self._wish.owner,
            ttl=ttl,
            dirty=dirt_of(self._parts, seen),
            means=self._wish.means,
        )
        if adopted is None:
            return None
        self._parts.deadlines.note(adopted, sent, ttl)
        return adopted

    def take_held(self, seen: Lock) -> Lock | None:
        """Extend the lease of a lock that is held; restore it if that is too late."""
        sent = self._parts.deadlines.now()
        try:
            renewed = self._parts.store.renew(seen, self._wish.lease)
        except LockLostError:
            # Released meanwhile, or the lease ran out. What ran under it then was
            # not guarded any more, so it is undone and the lock taken afresh.
            self._parts.say(
                f"Tracker {seen.tracker_id}: the lease of this owner ran out, the lock "
                "is restored and taken again."
            )
            release(self._parts, seen.tracker_id, seen.owner.key, seen.epoch)
            return None
        self._parts.deadlines.note_granted(renewed, sent, self._wish.lease)
        return renewed

    def inspect(self) -> Preflight:
        """Look whether locking is safe; see `Preflight.require`."""
        strategy = find_strategy(self._wish.strategy)
        account = strategy.preflight(self._parts, self._wish).require()
        self._board.heed()
        return account

    def inspect_or_give_back(self, seen: Lock) -> Preflight:
        """Do so under a granted lock, which a refusal frees."""
        try:
            return self.inspect()
        except LockRefusedError as error:
            self._parts.store.give_back(seen, detail=_findings(error))
            raise

    def reduce(self, lock: Lock, account: Preflight | None) -> Lock:
        """Take a granted or half-locked tracker to held; a refusal frees it."""
        wish, strategy = self._wish, strategy_of(lock)
        entering = strategy.enter(self._parts, lock, wish, self._board)
        try:
            return entering.run(account, wish.lease)
        except LockRefusedError as error:
            self._put_back(entering.lock, error)
            raise
        except CodebeamerError:
            # Under a lock that is only granted nothing was touched.
            with suppress(DatabaseError):
                self._parts.store.give_back(entering.lock)
            raise

    def _put_back(self, lock: Lock, error: LockRefusedError) -> None:
        """Leave nothing behind of a lock that is refused half-way."""
        if lock.state is LockState.GRANTED:
            self._parts.store.give_back(lock, detail=_findings(error))
            return
        self._parts.history.record(lock, "refused", _findings(error))
        release(self._parts, lock.tracker_id, lock.owner.key, lock.epoch)

    def recover_dead(self, seen: Lock) -> None:
        """Recover a lock whose holder is gone, so that it can be taken afresh."""
        if not self._watch.is_over(seen, self._parts.store.now()):
            return
        try:
            take_over(
                self._parts, seen, self._wish.owner.key, "it waits for the tracker"
            )
        except LockLostError:
            # Whoever was quicker goes on with it.
            return
        except RestorePendingError as error:
            # A person may answer while we wait; until then there is nothing to do.
            if not error.wants_an_answer:
                raise
            if not self._has_told:
                self._parts.say(str(error))
            self._has_told = True

    def wait(self, end: float) -> None:
        """Wait for the next look, unless all that is wanted can be taken now.

        Raises:
            LockHeldError: it is too late to wait.
        """
        found = self._first_taken()
        if found is None and self.waiting.is_turn():
            return
        if found is not None and self.is_mine(found) and self.twins.has_it(found):
            self.twins.pause()
            return
        left = end - self._parts.clock.monotonic()
        if left <= 0:
            wish = self._wish
            tracker_id = wish.tracker_id if found is None else found.tracker_id
            raise held(self._parts, tracker_id, found, wish.owner.key)
        self.waiting.join()
        poll = self._parts.settings.poll.total_seconds()
        # Jitter keeps several waiters from coming at once; nothing secret about it.
        pause = poll * random.uniform(0.8, 1.2)  # noqa: S311
        self._parts.clock.sleep(min(pause, left))

    def _first_taken(self) -> Lock | None:
        for tracker_id in self._wish.trackers:
            found = self._parts.store.find(self._parts.server, tracker_id)
            if found is not None and found.state is not LockState.FREE:
                return found
        return None


def _findings(error: LockRefusedError) -> dict[str, list[str]]:
    return {"findings": list(error.findings)}
