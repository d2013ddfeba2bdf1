"""How an owner comes to locks: at once, by waiting, or first by name only."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking.acquire import (
    Acquisition,
    grant_all,
    waiting_of,
)
from airflow_codebeamer.locking.death import tell_of_the_dead
from airflow_codebeamer.locking.freezing import Freezing
from airflow_codebeamer.locking.lock import FREEZE, ROLE_PERMISSIONS, Lock, Owner
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.records.ticket import Ticket
from airflow_codebeamer.locking.rights.policies import known_policy
from airflow_codebeamer.locking.sets import SetAcquisition, check_set, check_strategy
from airflow_codebeamer.locking.strategies import find_strategy
from airflow_codebeamer.locking.takeover import Watch
from airflow_codebeamer.locking.wish import Wish

__all__ = ["LockTaking"]


class LockTaking:
    """Acquires and reserves locks, of one tracker or of several in one."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.watch = Watch(parts.clock, parts.settings)

    def reserve(
        self,
        tracker_id: TrackerId,
        *,
        owner: Owner,
        reason: str,
        lease: timedelta | None = None,
        priority: int = 0,
    ) -> Lock:
        """Write the record only, so that a release is owed from now on.

        Sends nothing to the server. If somebody else has the tracker, or his
        restore is owed, or it is kept for one who waits, that record is returned
        and `is_mine` is False.
        """
        (reserved,) = self.reserve_all(
            [tracker_id], owner=owner, reason=reason, lease=lease, priority=priority
        )
        return reserved

    def reserve_all(
        self,
        tracker_ids: Collection[TrackerId],
        *,
        owner: Owner,
        reason: str,
        lease: timedelta | None = None,
        priority: int = 0,
    ) -> tuple[Lock, ...]:
        """Write the records of several trackers, all or none; see `reserve`.

        If somebody else has one of them, or goes before us, nothing is written: the
        records are returned as they are, with `is_mine` saying whose.

        Raises:
            LockSetError: the owner holds another set of trackers.
        """
        wish = self._wish(tracker_ids, owner, reason, lease, priority)
        check_set(self.parts, owner.key, wish.trackers)
        while True:
            granted = grant_all(self.parts, wish, wish.lease)
            if granted:
                return tuple(replace(lock, is_mine=True) for lock in granted)
            found = [self.parts.store.find(self.parts.server, n) for n in wish.trackers]
            seen = [lock for lock in found if lock is not None]
            is_taken = any(lock.state.is_owned for lock in seen)
            if is_taken or (seen and not waiting_of(self.parts, wish).is_turn()):
                return tuple(
                    replace(lock, is_mine=lock.owner.key == owner.key) for lock in seen
                )

    def acquire(
        self,
        tracker_id: TrackerId,
        *,
        owner: Owner,
        reason: str = "",
        lease: timedelta | None = None,
        wait_for: timedelta | None = None,
        exclusive_role: str | None = None,
        priority: int = 0,
        restore_policy: str | None = None,
        strategy: str = "",
        options: Mapping[str, Any] | None = None,
        mode: str = "exclusive",
    ) -> Lock:
        """Take the lock, or say who has it; again as the same owner is the same.

        A lock that this owner already holds is returned with its lease extended;
        one that an earlier try began is finished; one whose lease ran out is
        restored first and taken afresh, as is anybody's that died.

        `strategy` says how others are kept from writing, with `options` of its own;
        that of the settings if not given. The record keeps it, so whoever releases
        or recovers the lock does it in the same way.

        In the `mode` "freeze" nobody may write, the owner neither, and others may
        freeze it with him: it is restored when the last has released. While somebody
        waits for the tracker alone nobody else joins.

        Who waits, waits in the queue: first come first served among those of the
        same `priority`; a lower one counts one more for each `ageing` of waiting.
        A wait that ends without the lock leaves the ticket: the same owner finds
        its place again, and meanwhile it blocks nobody.

        `restore_policy` (the setting if not given) is kept with the lock, for
        whoever restores; that of a lock which is held already stays.

        Raises:
            LockHeldError: somebody else has it, or it is kept for one who waits
                longer, and `wait_for` is over.
            TicketRemovedError: somebody took our ticket out of the queue.
            LockRefusedError: locking would not be safe; nothing is changed.
            RestorePendingError: an older lock could not be put back.
            ConfigurationError: the lease is shorter than the `ttl`, there is no such
                restore policy or strategy, its options are wrong, or the owner holds
                the tracker by another strategy.
            LockLostError: it was taken from us while we took it.
        """
        (lock,) = self.acquire_all(
            [tracker_id],
            owner=owner,
            reason=reason,
            lease=lease,
            wait_for=wait_for,
            exclusive_role=exclusive_role,
            priority=priority,
            restore_policy=restore_policy,
            strategy=strategy,
            options=options,
            mode=mode,
        )
        return lock

    def acquire_all(
        self,
        tracker_ids: Collection[TrackerId],
        *,
        owner: Owner,
        reason: str = "",
        lease: timedelta | None = None,
        wait_for: timedelta | None = None,
        exclusive_role: str | None = None,
        priority: int = 0,
        restore_policy: str | None = None,
        strategy: str = "",
        options: Mapping[str, Any] | None = None,
        mode: str = "exclusive",
    ) -> tuple[Lock, ...]:
        """Take the locks of several trackers as one: all of them, or none.

        As `acquire` does for one. The records of all are written in one transaction
        before anything is changed on the server, and whoever waits holds nothing, so
        no two wait for each other; it waits with one ticket, which is served when
        all are free and it is the first for each. When one tracker is refused
        half-way, the others are given back. What the same owner still has of an
        earlier try is gone on with if it is whole, else given back and taken afresh.

        Not promised: that all trackers are reduced at the same moment; they are, one
        after the other, in ascending order, and this returns when all are.

        Raises:
            LockSetError: the owner holds other trackers in one lock: a set never
                grows.
            LockHeldError: somebody else has one of them, and `wait_for` is over.
            LockError: whatever `acquire` raises; none is held then, or a note on the
                error says what recovery still has to give back.
            ConfigurationError: no tracker is given, or the lease is too short.
        """
        wish = replace(
            self._wish(tracker_ids, owner, reason, lease, priority),
            wait_for=wait_for or timedelta(),
            exclusive_role=self._role(exclusive_role),
            restore_policy=known_policy(restore_policy or ""),
            strategy=strategy or self.parts.client.settings.strategy,
            options=dict(options or {}),
        )
        find_strategy(wish.strategy).check(wish.options)
        check_set(self.parts, owner.key, wish.trackers)
        check_strategy(self.parts, owner.key, wish)
        if mode == FREEZE:
            lock = Freezing(self.parts, self.watch, self._freeze(wish)).run()
            return (replace(lock, is_mine=True),)
        if mode != "exclusive":
            raise ConfigurationError("mode", f"say exclusive or freeze, not {mode!r}")
        if not wish.members:
            locks: tuple[Lock, ...] = (Acquisition(self.parts, self.watch, wish).run(),)
        else:
            locks = SetAcquisition(self.parts, self.watch, wish).run()
        for lock in locks:
            tell_of_the_dead(self.parts, lock)
        return tuple(replace(lock, is_mine=True) for lock in locks)

    def enqueue(
        self,
        *trackers: TrackerId,
        owner: Owner,
        reason: str = "",
        priority: int = 0,
        mode: str = "exclusive",
    ) -> Ticket:
        """Return the owner's ticket, a new one if he has none; for who waits elsewhere.

        It is alive for `offer_ttl`; `Queue.attend` keeps it so.
        """
        if mode == FREEZE:
            owner = owner.as_freezer()
        wish = self._wish(trackers, owner, reason, None, priority)
        return waiting_of(self.parts, wish).join(is_elsewhere=True)

    @staticmethod
    def _freeze(wish: Wish) -> Wish:
        if wish.members:
            raise ConfigurationError(
                "mode", "a freeze is of one tracker: take one for each"
            )
        if wish.strategy != ROLE_PERMISSIONS:
            raise ConfigurationError(
                "mode", f"only {ROLE_PERMISSIONS} can freeze, not {wish.strategy}"
            )
        return wish

    def _role(self, exclusive_role: str | None) -> str:
        return exclusive_role or self.parts.exclusive_role

    def _wish(
        self,
        tracker_ids: Collection[TrackerId],
        owner: Owner,
        reason: str,
        lease: timedelta | None,
        priority: int,
    ) -> Wish:
        span = lease or self.parts.settings.bridge
        if span < self.parts.settings.ttl:
            raise ConfigurationError(
                "lease", f"make it at least {self.parts.settings.ttl}"
            )
        if not tracker_ids:
            raise ConfigurationError("tracker_id", "say at least one tracker")
        wanted = tuple(sorted(set(tracker_ids)))
        return Wish(
            wanted[0],
            owner,
            reason,
            lease=span,
            wait_for=timedelta(),
            exclusive_role=self.parts.exclusive_role,
            priority=priority,
            members=wanted if len(wanted) > 1 else (),
        )
