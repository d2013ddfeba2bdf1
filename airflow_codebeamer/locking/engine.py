"""LockEngine: acquire, reserve, renew, guard, release and break a lock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from airflow_codebeamer.client import Client
from airflow_codebeamer.clock import Clock
from airflow_codebeamer.errors import ConfigurationError, LockLostError
from airflow_codebeamer.ids import Epoch, TrackerId
from airflow_codebeamer.journal import Journal
from airflow_codebeamer.locking.acquire import Acquisition, Wish, grant, waiting_of
from airflow_codebeamer.locking.breaking import accept_permissions, break_lock
from airflow_codebeamer.locking.ledger import Ledger
from airflow_codebeamer.locking.lock import Lock, Owner
from airflow_codebeamer.locking.parts import Deadlines, Parts, Undo
from airflow_codebeamer.locking.preflight import Preflight, look
from airflow_codebeamer.locking.release import release
from airflow_codebeamer.locking.report import ReleaseReport
from airflow_codebeamer.locking.states import LockState
from airflow_codebeamer.locking.store import LockStore
from airflow_codebeamer.locking.takeover import Watch
from airflow_codebeamer.locking.ticket import Ticket
from airflow_codebeamer.settings import LockSettings

__all__ = ["LockEngine"]


class LockEngine:
    """Keeps a tracker for one writer, and gives everybody their rights back.

    A lock is two facts that have to agree: a record that says who has the
    tracker, and role permissions narrowed so that nobody else writes. Each step
    is on the disk before it is taken; after a crash the same owner goes on, or
    `Recovery` restores. Everything is idempotent per owner.

    `undo` is called before permissions are restored, with the lock and a guard,
    and rolls back what runs under the lock left half-done. `escrow` gets the originals
    of each lock as one line, to keep outside the store; without it `say` gets them.

    Not promised: that system administrators, or whoever may set permissions,
    do not write meanwhile. What they change in permissions is kept and told.

    Example:
        >>> lock = engine.acquire(tracker_id, owner=Owner("run 7"))  # doctest: +SKIP
        >>> engine.guard(lock)  # doctest: +SKIP
        >>> engine.release(tracker_id, owner_key="run 7")  # doctest: +SKIP
    """

    def __init__(
        self,
        store: LockStore,
        journal: Journal,
        client: Client,
        settings: LockSettings,
        *,
        clock: Clock,
        exclusive_role: str,
        undo: Undo | None = None,
        say: Callable[[str], None] | None = None,
        escrow: Callable[[str], None] | None = None,
    ) -> None:
        self.parts = Parts(
            store=store,
            ledger=Ledger(store, journal),
            client=client,
            settings=settings,
            clock=clock,
            exclusive_role=exclusive_role,
            undo=undo,
            say=say or _nothing,
            escrow=escrow or say or _nothing,
            deadlines=Deadlines(clock, settings.margin),
        )
        self.watch = Watch(clock, settings)

    def preflight(
        self, tracker_id: TrackerId, *, exclusive_role: str | None = None
    ) -> Preflight:
        """Look whether locking would be safe; changes nothing on the server.

        Four requests, and the look at the role's members when that was too long
        ago. Call `require` on the result to have findings raised.
        """
        return look(self.parts, tracker_id, self._role(exclusive_role))

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
        wish = self._wish(tracker_id, owner, reason, lease, priority)
        while True:
            granted = grant(self.parts, wish, wish.lease)
            if granted is not None:
                return replace(granted, is_mine=True)
            seen = self.parts.store.find(self.parts.server, tracker_id)
            if seen is None:
                continue
            if seen.state is not LockState.FREE:
                return replace(seen, is_mine=seen.owner.key == owner.key)
            if not waiting_of(self.parts, wish).is_turn():
                return replace(seen, is_mine=False)

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
    ) -> Lock:
        """Take the lock, or say who has it; again as the same owner is the same.

        A lock that this owner already holds is returned with its lease extended;
        one that an earlier try began is finished; one whose lease ran out is
        restored first and taken afresh, as is anybody's that died.

        Who waits, waits in the queue: first come first served among those of the
        same `priority`; a lower one counts one more for each `ageing` of waiting.
        A wait that ends without the lock leaves the ticket: the same owner finds
        its place again, and meanwhile it blocks nobody.

        Raises:
            LockHeldError: somebody else has it, or it is kept for one who waits
                longer, and `wait_for` is over.
            TicketRemovedError: somebody took our ticket out of the queue.
            LockRefusedError: locking would not be safe; nothing is changed.
            RestorePendingError: an older lock could not be put back.
            ConfigurationError: the lease is shorter than the `ttl`.
            LockLostError: it was taken from us while we took it.
        """
        wish = self._wish(tracker_id, owner, reason, lease, priority)
        wish = replace(
            wish,
            wait_for=wait_for or timedelta(),
            exclusive_role=self._role(exclusive_role),
        )
        return replace(Acquisition(self.parts, self.watch, wish).run(), is_mine=True)

    def release(
        self, tracker_id: TrackerId, *, owner_key: str, epoch: Epoch | None = None
    ) -> ReleaseReport:
        """Undo open runs, give every role its rights back, and free the tracker.

        Nothing held, held by somebody else, or by the same owner under a newer
        epoch than `epoch`: quiet, `released` is False and nothing is touched. Who
        waited for the tracker waits no more.

        Raises:
            RestorePendingError: not all is back yet; recovery goes on.
        """
        self.parts.store.queue.leave(self.parts.server, owner_key, tracker_id)
        return release(self.parts, tracker_id, owner_key, epoch)

    def break_lock(
        self,
        tracker_id: TrackerId,
        *,
        by: str,
        reason: str,
        expect_epoch: Epoch | None = None,
    ) -> ReleaseReport:
        """End somebody's lock by force: fence him, wait, restore, free.

        His renewals and requests are refused from now on. After the lock delay,
        when none of his requests can be under way any more, the tracker is
        restored and freed. Nothing locked: `released` is False.

        Not promised: that the holder stops writing items at once; he learns of
        it at his next write, or at his next beat.

        Raises:
            LockLostError: the record is not at `expect_epoch`, or moved on.
            RestorePendingError: not all is back yet; recovery goes on.
        """
        return break_lock(
            self.parts, tracker_id, by=by, reason=reason, expect_epoch=expect_epoch
        )

    def accept_permissions(
        self, tracker_id: TrackerId, *, by: str, reason: str
    ) -> bool:
        """Say that a free tracker's permissions are meant as they are.

        For the case that a new lock is refused because they look like one of our
        own; returns False if the tracker is not free.
        """
        return accept_permissions(self.parts, tracker_id, by=by, reason=reason)

    def renew(self, lock: Lock, *, lease: timedelta | None = None) -> Lock:
        """Extend the lease of a lock that is held; the default is the short `ttl`.

        Raises:
            LockLostError: taken over, broken, released, or the lease ran out.
        """
        span = lease or self.parts.settings.ttl
        sent = self.parts.deadlines.now()
        try:
            renewed = self.parts.store.renew(lock, span)
        except LockLostError:
            self.parts.deadlines.drop(lock)
            raise
        self.parts.deadlines.note(renewed, sent, span)
        return replace(renewed, is_mine=True)

    def guard(self, lock: Lock) -> None:
        """Return if the lock is good right now; cheap, asks nobody.

        Counts on our own clock from the last renewal of this process. A lock
        that came from another process is looked up in the store once.

        Raises:
            LockLostError: it may not be; stop writing.
        """
        if self.parts.deadlines.find(lock) is None:
            sent = self.parts.deadlines.now()
            left = self.parts.store.lease_left(lock)
            self.parts.deadlines.note(lock, sent, left)
        self.parts.deadlines.check(lock)

    def _role(self, exclusive_role: str | None) -> str:
        return exclusive_role or self.parts.exclusive_role

    def enqueue(
        self,
        tracker_id: TrackerId,
        *,
        owner: Owner,
        reason: str = "",
        priority: int = 0,
    ) -> Ticket:
        """Return the owner's ticket, a new one if he has none; for who waits elsewhere.

        It is alive for `offer_ttl`; `Queue.attend` keeps it so.
        """
        wish = self._wish(tracker_id, owner, reason, None, priority)
        return waiting_of(self.parts, wish).join(is_elsewhere=True)

    def _wish(
        self,
        tracker_id: TrackerId,
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
        return Wish(
            tracker_id,
            owner,
            reason,
            lease=span,
            wait_for=timedelta(),
            exclusive_role=self.parts.exclusive_role,
            priority=priority,
        )


def _nothing(text: str) -> None:
    return None
