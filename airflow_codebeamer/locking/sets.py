"""Several trackers in one lock: all of them or none, and nobody waits for ever.

The records of all are granted in one transaction before anything is changed on the
server, and whoever waits holds nothing, so there is no circle of waiting. For the
same reason a set never grows: to hold one tracker and wait for another is the one
thing that could close a circle. The trackers are then reduced one after the other,
in ascending order; each has its own lineage and journal, so a crash leaves single
locks of which recovery restores each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from airflow_codebeamer.errors import (
    CodebeamerError,
    ConfigurationError,
    LockLostError,
    LockSetError,
    RestorePendingError,
)
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking.acquire import Acquisition, grant_all
from airflow_codebeamer.locking.heartbeat import Pulse
from airflow_codebeamer.locking.lock import ROLE_PERMISSIONS, Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.release import release
from airflow_codebeamer.locking.report import ReleaseReport
from airflow_codebeamer.locking.rights.preflight import Preflight
from airflow_codebeamer.locking.states import LockState
from airflow_codebeamer.locking.takeover import Watch
from airflow_codebeamer.locking.wish import Wish

__all__ = ["SetAcquisition", "check_set", "check_strategy", "find_set", "release_all"]

_TAKEN = (LockState.GRANTED, LockState.LOCKING, LockState.HELD)


def check_set(parts: Parts, owner_key: str, wanted: Collection[TrackerId]) -> None:
    """Return if what an owner asks for is what he holds, or stands beside it.

    Locks that were each taken alone are independent of each other: a run may have
    several, for tasks that do not need one another's.

    Raises:
        LockSetError: he holds a set, and asks for another one.
    """
    asked = tuple(sorted(set(wanted)))
    for lock in parts.store.list_of(parts.server, owner_key):
        is_alone = len(asked) == 1 and not lock.members
        if lock.state in _TAKEN and lock.together != asked and not is_alone:
            raise LockSetError(owner_key, lock.together, asked)


def check_strategy(parts: Parts, owner_key: str, wish: Wish) -> None:
    """Return unless the owner holds one of the trackers in another way.

    Raises:
        ConfigurationError: he does, or the strategy cannot let accounts write in turn.
    """
    if parts.rotation is not None and wish.strategy != ROLE_PERMISSIONS:
        raise ConfigurationError(
            "strategy",
            f"accounts write in turn by {ROLE_PERMISSIONS}, not by {wish.strategy}",
        )
    for lock in parts.store.list_of(parts.server, owner_key):
        is_begun = lock.state in (LockState.LOCKING, LockState.HELD)
        is_wanted = lock.tracker_id in wish.trackers
        if is_begun and is_wanted and lock.strategy != wish.strategy:
            raise ConfigurationError(
                "strategy",
                f"{owner_key} has tracker {lock.tracker_id} by {lock.strategy}: say "
                f"that one, or release it first, to take it by {wish.strategy}",
            )


def find_set(parts: Parts, lock: Lock) -> tuple[Lock, ...]:
    """Return every lock of the set that a lock belongs to, itself first.

    Raises:
        LockLostError: one of them is not this owner's any more.
    """
    locks = [lock]
    for tracker_id in lock.members:
        if tracker_id == lock.tracker_id:
            continue
        found = parts.store.find(parts.server, tracker_id)
        if found is None or found.owner.key != lock.owner.key:
            raise LockLostError(
                tracker_id,
                expected=0,
                found=None if found is None else found.epoch,
                why="it is of the same lock, and was released or taken over",
            )
        locks.append(found)
    return tuple(locks)


def release_all(
    parts: Parts, tracker_ids: Collection[TrackerId], owner_key: str
) -> tuple[ReleaseReport, ...]:
    """Release each of these that the owner holds; one's trouble keeps no other.

    Raises:
        RestorePendingError: of one whose rights are not all back; what was refused
            before what may pass by itself.
    """
    reports, pending = [], []
    for tracker_id in sorted(set(tracker_ids)):
        try:
            reports.append(release(parts, tracker_id, owner_key, None))
        except RestorePendingError as error:
            pending.append(error)
    if pending:
        raise min(pending, key=lambda error: error.may_pass)
    return tuple(reports)


class SetAcquisition:
    """One owner's way to several trackers."""

    def __init__(self, parts: Parts, watch: Watch, wish: Wish) -> None:
        self._parts = parts
        self._wish = wish
        self._ids = wish.trackers
        self._ways = {
            tracker_id: Acquisition(parts, watch, replace(wish, tracker_id=tracker_id))
            for tracker_id in self._ids
        }
        # One of them waits for all, with one ticket.
        self._queuing = self._ways[self._ids[0]]

    def run(self) -> tuple[Lock, ...]:
        """Return the locks, all held; see `LockEngine.acquire_all`."""
        try:
            return self._run()
        except BaseException:
            self._queuing.waiting.rest()
            raise

    def _run(self) -> tuple[Lock, ...]:
        end = self._parts.clock.monotonic() + self._wish.wait_for.total_seconds()
        while True:
            may_try = self._queuing.waiting.may_try()
            with self._queuing.twins.one_at_a_time():
                locks = self._try(may_try=may_try)
            if locks:
                return locks
            self._queuing.wait(end)

    def _try(self, *, may_try: bool) -> tuple[Lock, ...]:
        seen = {number: way.find() for number, way in self._ways.items()}
        taken = {
            number: lock
            for number, lock in seen.items()
            if lock is not None and lock.state is not LockState.FREE
        }
        if not taken:
            return self._take_free() if may_try else ()
        mine = {n: lock for n, lock in taken.items() if self._ways[n].is_mine(lock)}
        is_whole = len(mine) == len(self._ids)
        if is_whole and all(lock.state in _TAKEN for lock in mine.values()):
            at_work = [self._ways[n].twins.is_at_work(lock) for n, lock in mine.items()]
            return () if any(at_work) else self._go_on(mine)
        # What is left of an earlier try is no set any more: nobody waits holding it.
        for lock in mine.values():
            release(self._parts, lock.tracker_id, lock.owner.key, lock.epoch)
        for number, lock in taken.items():
            if number not in mine:
                self._ways[number].recover_dead(lock)
        return ()

    def _take_free(self) -> tuple[Lock, ...]:
        accounts = {number: way.inspect() for number, way in self._ways.items()}
        granted = grant_all(self._parts, self._wish, self._parts.settings.ttl)
        locks = {lock.tracker_id: lock for lock in granted}
        return self._reduce(locks, accounts) if locks else ()

    def _go_on(self, mine: Mapping[TrackerId, Lock]) -> tuple[Lock, ...]:
        """Go on with what an earlier try of the same owner took."""
        accounts: dict[TrackerId, Preflight] = {}
        locks = dict(mine)
        with self._all_or_none(locks):
            for number, lock in mine.items():
                if lock.state is LockState.GRANTED:
                    accounts[number] = self._ways[number].inspect_or_give_back(lock)
            for number, lock in mine.items():
                way = self._ways[number]
                is_held = lock.state is LockState.HELD
                taken = way.take_held(lock) if is_held else way.adopt(lock)
                if taken is None:
                    return ()
                locks[number] = taken
        return self._reduce(locks, accounts)

    def _reduce(
        self,
        locks: dict[TrackerId, Lock],
        accounts: Mapping[TrackerId, Preflight],
    ) -> tuple[Lock, ...]:
        """Reduce one tracker after the other while the records of all are renewed."""
        with self._all_or_none(locks):
            with self._renewed(list(locks.values())):
                for number, way in self._ways.items():
                    if locks[number].state is not LockState.HELD:
                        account = accounts.get(number)
                        locks[number] = way.reduce(locks[number], account)
            return tuple(self._renew(locks[number]) for number in self._ids)

    def _renew(self, lock: Lock) -> Lock:
        """Give a lock the lease that was asked for; while all were taken it had less.

        Raises:
            LockLostError: it is not ours any more.
        """
        sent = self._parts.deadlines.now()
        renewed = self._parts.store.renew(lock, self._wish.lease)
        self._parts.deadlines.note_granted(renewed, sent, self._wish.lease)
        return renewed

    @contextmanager
    def _renewed(self, locks: Sequence[Lock]) -> Iterator[None]:
        pulses = [Pulse(self._parts, states=_TAKEN) for _ in locks]
        try:
            for pulse, lock in zip(pulses, locks, strict=True):
                pulse.start(lock)
            yield
        finally:
            for pulse in pulses:
                pulse.stop()

    @contextmanager
    def _all_or_none(self, locks: Mapping[TrackerId, Lock]) -> Iterator[None]:
        """Give back whatever is there when one cannot be had, and tell why.

        Not what a newer try of the same owner goes on with: whatever was held
        already it has under the same epoch.
        """
        try:
            yield
        except (CodebeamerError, KeyboardInterrupt) as error:
            if isinstance(error, LockLostError) and self._is_gone_on_with(error):
                raise
            for lock in locks.values():
                try:
                    release(self._parts, lock.tracker_id, lock.owner.key, lock.epoch)
                except CodebeamerError as left:
                    # Its lease is short: recovery goes on with it, and the others.
                    error.add_note(f"Not given back yet: {left}")
                    break
            raise

    def _is_gone_on_with(self, error: LockLostError) -> bool:
        """Say whether a lock was lost to another try of the same owner."""
        found = self._ways[TrackerId(error.tracker_id)].find()
        return (
            found is not None
            and found.owner.key == self._wish.owner.key
            and found.breaking is None
            and found.state in _TAKEN
        )
