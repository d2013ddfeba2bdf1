"""The way to a lock: take what is free, go on with what is ours, wait, recover."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from airflow_codebeamer.errors import (
    CodebeamerError,
    DatabaseError,
    LockLostError,
    LockRefusedError,
)
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking.lock import Lock, Owner
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.preflight import Preflight, inspect_account
from airflow_codebeamer.locking.reducing import Reducing
from airflow_codebeamer.locking.release import dirt_of, release
from airflow_codebeamer.locking.states import LockState
from airflow_codebeamer.locking.takeover import Watch, take_over
from airflow_codebeamer.locking.waiting import Waiting, head_start, held

__all__ = ["Acquisition", "Wish", "grant", "waiting_of"]


@dataclass(frozen=True)
class Wish:
    """What somebody wants: a tracker, for himself, for so long, in that role."""

    tracker_id: TrackerId
    owner: Owner
    reason: str
    lease: timedelta
    wait_for: timedelta
    exclusive_role: str
    priority: int = 0


def grant(parts: Parts, wish: Wish, lease: timedelta) -> Lock | None:
    """Write the record of a free tracker; None if it is not free, or kept."""
    sent = parts.deadlines.now()
    granted = parts.store.grant(
        parts.server,
        wish.tracker_id,
        wish.owner,
        reason=wish.reason,
        lease=lease,
        head_start=head_start(parts, wish.priority),
    )
    if granted is not None:
        parts.deadlines.note(granted, sent, lease)
    return granted


def waiting_of(parts: Parts, wish: Wish) -> Waiting:
    """Return the way of a wish through the queue."""
    return Waiting(
        parts,
        wish.tracker_id,
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
        self._waiting = waiting_of(parts, wish)

    def run(self) -> Lock:
        """Return the lock, held; see `LockEngine.acquire`."""
        try:
            return self._run()
        except BaseException:
            self._waiting.rest()
            raise

    def _run(self) -> Lock:
        end = self._parts.clock.monotonic() + self._wish.wait_for.total_seconds()
        while True:
            may_try = self._waiting.may_try()
            seen = self._find()
            if seen is None or seen.state is LockState.FREE:
                lock = self._take_free() if may_try else None
            elif seen.owner.key == self._wish.owner.key and seen.breaking is None:
                lock = self._take_own(seen)
            else:
                lock = None
                self._recover_dead(seen)
            if lock is not None:
                return lock
            self._wait(end)

    def _find(self) -> Lock | None:
        return self._parts.store.find(self._parts.server, self._wish.tracker_id)

    def _take_free(self) -> Lock | None:
        account = self._inspect()
        granted = grant(self._parts, self._wish, self._parts.settings.ttl)
        return None if granted is None else self._reduce(granted, account)

    def _take_own(self, seen: Lock) -> Lock | None:
        if seen.state is LockState.HELD:
            return self._take_held(seen)
        if seen.state is LockState.RESTORING:
            release(self._parts, seen.tracker_id, seen.owner.key, None)
            return None
        account = None
        if seen.state is LockState.GRANTED:
            account = self._inspect_or_give_back(seen)
        ttl = self._parts.settings.ttl
        sent = self._parts.deadlines.now()
        adopted = self._parts.store.adopt(
            seen, self._wish.owner, ttl=ttl, dirty=dirt_of(self._parts, seen)
        )
        if adopted is None:
            return None
        self._parts.deadlines.note(adopted, sent, ttl)
        return self._reduce(adopted, account)

    def _take_held(self, seen: Lock) -> Lock | None:
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
        self._parts.deadlines.note(renewed, sent, self._wish.lease)
        return renewed

    def _inspect(self) -> Preflight:
        wish = self._wish
        account = inspect_account(self._parts, wish.tracker_id, wish.exclusive_role)
        return account.require()

    def _inspect_or_give_back(self, seen: Lock) -> Preflight:
        try:
            return self._inspect()
        except LockRefusedError as error:
            self._parts.store.give_back(seen, detail=_findings(error))
            raise

    def _reduce(self, lock: Lock, account: Preflight | None) -> Lock:
        reducing = Reducing(self._parts, lock)
        try:
            return reducing.run(account, self._wish.lease)
        except LockRefusedError as error:
            self._put_back(reducing.lock, error)
            raise
        except CodebeamerError:
            # Under a lock that is only granted nothing was touched.
            with suppress(DatabaseError):
                self._parts.store.give_back(reducing.lock)
            raise

    def _put_back(self, lock: Lock, error: LockRefusedError) -> None:
        """Leave nothing behind of a lock that is refused half-way."""
        if lock.state is LockState.GRANTED:
            self._parts.store.give_back(lock, detail=_findings(error))
            return
        self._parts.history.record(lock, "refused", _findings(error))
        release(self._parts, lock.tracker_id, lock.owner.key, lock.epoch)

    def _recover_dead(self, seen: Lock) -> None:
        """Recover a lock whose holder is gone, so that it can be taken afresh."""
        if not self._watch.is_over(seen, self._parts.store.now()):
            return
        # Whoever was quicker goes on with it.
        with suppress(LockLostError):
            take_over(
                self._parts, seen, self._wish.owner.key, "it waits for the tracker"
            )

    def _wait(self, end: float) -> None:
        """Wait for the next look, unless there is something to take now.

        Raises:
            LockHeldError: it is too late to wait.
        """
        found = self._find()
        is_free = found is None or found.state is LockState.FREE
        if is_free and self._waiting.is_turn():
            return
        left = end - self._parts.clock.monotonic()
        if left <= 0:
            wish = self._wish
            raise held(self._parts, wish.tracker_id, found, wish.owner.key)
        self._waiting.join()
        poll = self._parts.settings.poll.total_seconds()
        # Jitter keeps several waiters from coming at once; nothing secret about it.
        pause = poll * random.uniform(0.8, 1.2)  # noqa: S311
        self._parts.clock.sleep(min(pause, left))


def _findings(error: LockRefusedError) -> dict[str, list[str]]:
    return {"findings": list(error.findings)}
