"""LockEngine: acquire, reserve, renew, guard, release and break a lock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from airflow_codebeamer.client import Client
from airflow_codebeamer.clock import Clock
from airflow_codebeamer.errors import CodebeamerError, LockLostError
from airflow_codebeamer.ids import Epoch, TrackerId
from airflow_codebeamer.journal import Journal
from airflow_codebeamer.locking.deciding import LockDeciding
from airflow_codebeamer.locking.jobs import register_job
from airflow_codebeamer.locking.lock import ROLE_PERMISSIONS, Lock, Owner
from airflow_codebeamer.locking.lookout import Lookout
from airflow_codebeamer.locking.parts import Deadlines, Parts, Undo
from airflow_codebeamer.locking.records.ledger import Ledger
from airflow_codebeamer.locking.records.store import LockStore
from airflow_codebeamer.locking.release import release
from airflow_codebeamer.locking.report import ReleaseReport
from airflow_codebeamer.locking.rights.preflight import Preflight, look
from airflow_codebeamer.locking.rotation import Rotation
from airflow_codebeamer.locking.sets import find_set, release_all
from airflow_codebeamer.locking.strategies import (
    find_strategy,
    strategy_of,
    watches_of,
)
from airflow_codebeamer.locking.taking import LockTaking
from airflow_codebeamer.settings import LockSettings

__all__ = ["LockEngine"]


class LockEngine(LockTaking, LockDeciding):
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
        rotation: Rotation | None = None,
    ) -> None:
        parts = Parts(
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
            rotation=rotation,
        )
        super().__init__(parts)

    def preflight(
        self,
        tracker_id: TrackerId,
        *,
        exclusive_role: str | None = None,
        strategy: str = "",
        options: Mapping[str, Any] | None = None,
    ) -> Preflight:
        """Look whether locking would be safe; changes nothing on the server.

        Four requests, and the look at the role's members when that was too long
        ago; for another strategy than role permissions what that one needs. Call
        `require` on the result to have findings raised.
        """
        name = strategy or self.parts.client.settings.strategy
        if name == ROLE_PERMISSIONS:
            return look(self.parts, tracker_id, self._role(exclusive_role))
        found = find_strategy(name)
        found.check(options or {})
        wish = self._wish([tracker_id], Owner("preflight"), "", None, 0)
        return found.preflight(
            self.parts, replace(wish, strategy=name, options=dict(options or {}))
        )

    def release(
        self,
        tracker_id: TrackerId,
        *,
        owner_key: str,
        epoch: Epoch | None = None,
        judge: bool = True,
    ) -> ReleaseReport:
        """Undo open runs, give every role its rights back, and free the tracker.

        Nothing held, held by somebody else, or by the same owner under a newer
        epoch than `epoch`: quiet, `released` is False and nothing is touched. Who
        waited for the tracker waits no more. Several releases of one owner at once are
        as good as one: each reports that it is released. Without `judge` the report is
        returned whatever its certificate says; `ReleaseReport.require` judges it later.

        Raises:
            RestorePendingError: not all is back yet; recovery goes on.
            ForeignChangesError: all is free, others wrote meanwhile, and the lock
                was taken with the setting `certificate` at `fail`.
        """
        self.parts.store.queue.leave(self.parts.server, owner_key, tracker_id)
        report = release(self.parts, tracker_id, owner_key, epoch)
        if judge:
            report.require()
        return report

    def release_all(
        self,
        *,
        owner_key: str,
        tracker_ids: Collection[TrackerId] | None = None,
        judge: bool = True,
    ) -> tuple[ReleaseReport, ...]:
        """Release these trackers, or whatever the owner holds; quiet like `release`.

        Raises:
            RestorePendingError: not all is back yet; the others are released.
            ForeignChangesError: as `release` does, when all of them are free.
        """
        if tracker_ids is None:
            held = self.parts.store.list_of(self.parts.server, owner_key)
            tracker_ids = [lock.tracker_id for lock in held]
            self.parts.store.queue.leave(self.parts.server, owner_key)
        for tracker_id in tracker_ids:
            self.parts.store.queue.leave(self.parts.server, owner_key, tracker_id)
        reports = release_all(self.parts, tracker_ids, owner_key)
        for report in reports if judge else ():
            report.require()
        return reports

    def find_set(self, lock: Lock) -> tuple[Lock, ...]:
        """Return the locks that were taken in one with this lock, itself first.

        Asks the store, and only if there are others.

        Raises:
            LockLostError: one of them is not this owner's any more.
        """
        return find_set(self.parts, lock)

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
        self.parts.deadlines.note_granted(renewed, sent, span)
        self.keep(renewed)
        return replace(renewed, is_mine=True)

    def keep(self, lock: Lock) -> None:
        """Do what the strategy of a held lock needs now and then; mostly nothing.

        A server that does not answer is told, and asked at the next beat.

        Raises:
            LockLostError: what the strategy held is somebody else's.
        """
        if lock.strategy == ROLE_PERMISSIONS:
            return
        try:
            strategy_of(lock).keep(self.parts, lock)
        except LockLostError:
            raise
        except CodebeamerError as error:
            self.parts.say(f"Tracker {lock.tracker_id}: not renewed yet: {error}")

    def verify(self, lock: Lock) -> tuple[str, ...]:
        """Return what is not as a held lock promises, each as one sentence.

        One request by role permissions, one for each item by item locks.
        """
        return tuple(strategy_of(lock).verify(self.parts, lock))

    def look_out(
        self,
        lock: Lock,
        on_failed: Callable[[LockLostError], None],
        *,
        lease: timedelta | None = None,
        is_wanted: Callable[[], bool] | None = None,
    ) -> tuple[Lookout, ...]:
        """Look every `watch` whether others got back what a held lock took from them.

        And every `certificate_watch` what they wrote, if there is a certificate.
        Returns what looks, begun, each until its `stop`. One request a look, but one
        for each item by item locks; see `Lookout` for the rest.
        """
        found = watches_of(
            self.parts, lock, on_failed, lease=lease, is_wanted=is_wanted
        )
        for one in found:
            one.start()
        return found

    def register_job(self, lock: Lock, job_id: int, what: str = "") -> None:
        """Say that a job of the server was started under a lock.

        Its release gives nothing back before the job is over, or `job_wait` is. A
        program behind the relay need not say it: answers tell which jobs it started.
        """
        journal = Journal(self.parts.store.database)
        register_job(journal, lock.lineage, lock.epoch, job_id, what)

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


def _nothing(text: str) -> None:
    return None
