"""When somebody else's lock may be taken over, and what happens then."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime

from airflow_codebeamer.clock import Clock
from airflow_codebeamer.locking.audit.witness import witnessed
from airflow_codebeamer.locking.escrow.settling import settle_notice
from airflow_codebeamer.locking.jobs import wait_for_jobs
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.report import ReleaseReport
from airflow_codebeamer.locking.rights.questions import refuse_while_asked
from airflow_codebeamer.locking.states import LockState
from airflow_codebeamer.locking.strategies import strategy_of
from airflow_codebeamer.settings import LockSettings

__all__ = ["Watch", "take_over"]


class Watch:
    """What this process has itself seen of other people's leases.

    A lease that the store calls expired is believed only if, beside that, this
    process has watched it stand still for a whole `ttl` on its own clock, or
    the store says that it expired longer than a `ttl` ago. So a store clock
    that jumps ahead by less than a `ttl` takes nobody's lock; and a process
    that has just started needs no watching for what is long dead.

    Not promised: safety against a store clock that jumps by more than a `ttl`.
    """

    def __init__(self, clock: Clock, settings: LockSettings) -> None:
        self._clock = clock
        self._settings = settings
        self._mutex = threading.Lock()
        self._seen: dict[tuple[str, int], tuple[int, int, float]] = {}

    def look(self, lock: Lock) -> None:
        """Remember what a lock's lease looks like now."""
        key = (lock.server, lock.tracker_id)
        with self._mutex:
            known = self._seen.get(key)
            if known is None or known[:2] != (lock.epoch, lock.lease_seq):
                now = self._clock.monotonic()
                self._seen[key] = (lock.epoch, lock.lease_seq, now)

    def is_over(self, lock: Lock, now: datetime, *, trust_store: bool = False) -> bool:
        """Return whether a lock may be taken over; the store has the last word.

        `now` is store time. With `trust_store` our own watching is left out.
        """
        self.look(lock)
        if lock.breaking is not None:
            return lock.breaking.until + self._settings.lock_delay <= now
        if lock.lease_until is None:
            return False
        if lock.lease_until + self._settings.lock_delay > now:
            return False
        long_ago = lock.lease_until + self._settings.ttl <= now
        return trust_store or long_ago or self._has_stood_still(lock)

    def _has_stood_still(self, lock: Lock) -> bool:
        with self._mutex:
            _, _, since = self._seen[(lock.server, lock.tracker_id)]
        stood = self._clock.monotonic() - since
        return stood >= self._settings.ttl.total_seconds()


def take_over(parts: Parts, seen: Lock, by: str, why: str) -> ReleaseReport | None:
    """Fence the holder, undo, restore, free; None if the lock has moved on.

    Raises:
        RestorePendingError: not all is back yet; with a question that is open, nothing
            was sent and no epoch taken.
        LockLostError: somebody else took it over from us.
    """
    refuse_while_asked(parts, seen)
    settings, strategy = parts.settings, strategy_of(seen)
    lock = parts.store.take_over(
        seen, by, ttl=settings.ttl, lock_delay=settings.lock_delay, why=why
    )
    if lock is None:
        return None
    report = ReleaseReport(seen.tracker_id, released=True)
    if lock.state is not LockState.FREE:
        jobs = wait_for_jobs(parts, lock)
        report = witnessed(parts, lock, strategy.leave(parts, lock, by=by).run)
        report = replace(report, jobs=jobs)
    settle_notice(parts, seen.tracker_id)
    return report
