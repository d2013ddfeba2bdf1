"""Ending somebody else's lock by force, and what else a person says of a record."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow_codebeamer.errors import LockLostError
from airflow_codebeamer.ids import Epoch, TrackerId
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.records.epochs import open_record
from airflow_codebeamer.locking.report import ReleaseReport
from airflow_codebeamer.locking.rights.questions import refuse_while_asked
from airflow_codebeamer.locking.states import LockState
from airflow_codebeamer.locking.takeover import take_over

__all__ = ["accept_permissions", "break_lock", "break_period"]

_WORKING = (LockState.GRANTED, LockState.LOCKING, LockState.HELD)


def break_lock(
    parts: Parts,
    tracker_id: TrackerId,
    *,
    by: str,
    reason: str,
    expect_epoch: Epoch,
    at_once: bool,
) -> ReleaseReport:
    """Fence the holder, let him restore or wait until nothing of his can land."""
    seen = parts.store.find(parts.server, tracker_id)
    if seen is None or seen.state is LockState.FREE:
        return ReleaseReport(tracker_id, why="nothing is locked")
    if seen.epoch != expect_epoch:
        raise _moved(tracker_id, expect_epoch, seen)
    refuse_while_asked(parts, seen)
    period = timedelta() if at_once else break_period(parts, seen)
    broken = parts.store.set_breaking(seen, by=by, reason=reason, period=period)
    if broken is None:
        found = parts.store.find(parts.server, tracker_id)
        raise _moved(tracker_id, seen.epoch, found)
    chance = ", it may put everything back by itself" if period else ""
    parts.say(
        f"Tracker {tracker_id}: {seen.owner.key} is fenced{chance}; waiting until none "
        "of its requests can be under way."
    )
    return _Break(parts, broken, by, reason).run()


def break_period(parts: Parts, seen: Lock) -> timedelta:
    """Return how long the holder of a lock gets to restore by himself.

    Only who lives can: a lease that is good and short is renewed by a beat. The long
    one between two tasks says that nobody works.
    """
    if seen.state not in _WORKING or seen.lease_until is None:
        return timedelta()
    if seen.breaking is not None:
        # A second break changes nothing of what the first one left him.
        return max(seen.breaking.until - parts.store.now(), timedelta())
    left = seen.lease_until - parts.store.now()
    is_alive = timedelta() < left <= parts.settings.ttl
    return min(left, parts.settings.break_after) if is_alive else timedelta()


def accept_permissions(
    parts: Parts, tracker_id: TrackerId, *, by: str, reason: str
) -> bool:
    """Forget what the last lock left, so that it is compared with no more.

    A tracker that was never locked gets a record for it: `doctor` asks no more.
    """
    seen = parts.store.find(parts.server, tracker_id)
    if seen is None:
        open_record(parts.store, parts.server, tracker_id, host="")
        seen = parts.store.find(parts.server, tracker_id)
    if seen is None or seen.state is not LockState.FREE:
        return False
    return parts.store.forget_fingerprint(seen, by=by, reason=reason) is not None


class _Break:
    """One lock that is being broken, until its tracker is free."""

    def __init__(self, parts: Parts, broken: Lock, by: str, reason: str) -> None:
        self._parts = parts
        self._broken = broken
        self._by = by
        self._reason = reason

    def run(self) -> ReleaseReport:
        """Return the report of who restored: the holder, or we."""
        due = self._due()
        while True:
            found = self._parts.store.find(self._broken.server, self._broken.tracker_id)
            if found is not None and self._is_put_back(found):
                return ReleaseReport(
                    found.tracker_id,
                    released=True,
                    why=f"{self._broken.owner.key} put everything back by itself",
                )
            if found is None or found.epoch != self._broken.epoch:
                raise _moved(self._broken.tracker_id, self._broken.epoch, found)
            if found.breaking is None and found.lease_until is not None:
                # He is at it. If he dies, his lease runs out like anybody's.
                due = found.lease_until + self._parts.settings.lock_delay
            left = (due - self._parts.store.now()).total_seconds()
            if left <= 0:
                report = take_over(self._parts, found, self._by, self._reason)
                if report is not None:
                    return report
            poll = self._parts.settings.poll.total_seconds()
            self._parts.clock.sleep(min(max(left, 0.05), poll))

    def _is_put_back(self, found: Lock) -> bool:
        """Return whether the lock ended without us: free, and nothing since."""
        return found.state is LockState.FREE and found.epoch == self._broken.epoch

    def _due(self) -> datetime:
        """Return when we may take over: no request of the holder can land then."""
        broken, settings = self._broken, self._parts.settings
        if broken.breaking is None:
            return self._parts.store.now()
        due = broken.breaking.until + settings.lock_delay
        # A request that its sender has not closed may still wait for its turn, since
        # a throttled client sends late; it gets as long as a dead holder's would.
        for intent in self._parts.ledger.list_open(broken.lineage):
            if intent.epoch == broken.epoch:
                late = intent.begun_at + settings.ttl + settings.lock_delay
                due = max(due, late)
        return due


def _moved(tracker_id: TrackerId, expected: Epoch, found: Lock | None) -> LockLostError:
    return LockLostError(
        tracker_id,
        expected=expected,
        found=None if found is None else found.epoch,
        why="the record has moved on since it was looked at; look again, then break it",
    )
