"""A release by the owner: quiet unless the lock is his."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from airflow_codebeamer.errors import LockLostError
from airflow_codebeamer.ids import Epoch, TrackerId
from airflow_codebeamer.locking.audit.witness import CERTIFIED, witnessed
from airflow_codebeamer.locking.certificate import Certificate
from airflow_codebeamer.locking.escrow.settling import settle_notice
from airflow_codebeamer.locking.jobs import wait_for_jobs
from airflow_codebeamer.locking.lock import FREEZE, Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.report import ReleaseReport
from airflow_codebeamer.locking.rights.questions import refuse_while_asked
from airflow_codebeamer.locking.states import LockState
from airflow_codebeamer.locking.strategies import strategy_of
from airflow_codebeamer.locking.twins import (
    is_finished_by_a_twin,
    one_release_at_a_time,
)

__all__ = ["dirt_of", "release"]

#: How often a release looks again when the record moves under it.
_RACES = 5


def release(
    parts: Parts, tracker_id: TrackerId, owner_key: str, epoch: Epoch | None
) -> ReleaseReport:
    """Release what this owner holds, or say in the report why nothing was done.

    Several at once are as good as one: who comes too late to do it reports what was
    done.
    """
    first = parts.store.find(parts.server, tracker_id)
    with one_release_at_a_time(parts, owner_key, tracker_id):
        report = _release_ours(parts, tracker_id, owner_key, epoch)
    if report.released or first is None or _not_ours(parts, first, owner_key, epoch):
        return report
    return _done_by_another(parts, first) or report


def _release_ours(
    parts: Parts, tracker_id: TrackerId, owner_key: str, epoch: Epoch | None
) -> ReleaseReport:
    for _ in range(_RACES):
        seen = parts.store.find(parts.server, tracker_id)
        if seen is not None and seen.mode == FREEZE and seen.owner.key != owner_key:
            report = _leave(parts, seen, owner_key)
            if report is not None:
                return report
            continue
        why = _not_ours(parts, seen, owner_key, epoch)
        if why or seen is None:
            return ReleaseReport(tracker_id, why=why)
        report = _release(parts, seen)
        if report is not None:
            return report
    return ReleaseReport(tracker_id, why="somebody else is releasing it")


def dirt_of(parts: Parts, seen: Lock) -> timedelta:
    """Return how long requests of an earlier try may still take effect.

    Whoever sent them may be dead, the requests need not be. What older epochs
    left open was waited for, or marked, when they were fenced.
    """
    intents = parts.ledger.list_open(seen.lineage)
    is_dirty = any(intent.epoch == seen.epoch for intent in intents)
    return parts.settings.lock_delay if is_dirty else timedelta()


def _release(parts: Parts, seen: Lock) -> ReleaseReport | None:
    if seen.state is LockState.GRANTED:
        if parts.store.give_back(seen) is None:
            return None
        settle_notice(parts, seen.tracker_id)
        return ReleaseReport(seen.tracker_id, released=True)
    refuse_while_asked(parts, seen)
    strategy_of(seen)
    jobs: tuple[str, ...] = ()
    if seen.state is LockState.HELD:
        # A lease that is over is waited out under the next epoch instead.
        with suppress(LockLostError):
            jobs = wait_for_jobs(parts, seen)
    lock = _start(parts, seen)
    return None if lock is None else _restore(parts, lock, jobs)


def _leave(parts: Parts, seen: Lock, owner_key: str) -> ReleaseReport | None:
    """Leave a freeze; the last one restores."""
    if not parts.store.list_holders(seen, owner_key):
        why = f"{seen.owner.key} has the tracker"
        return ReleaseReport(seen.tracker_id, why=why)
    if seen.state is not LockState.HELD:
        return _release(parts, seen)
    was_in, lock = parts.store.leave_freeze(
        seen, owner_key, ttl=parts.settings.ttl, dirty=dirt_of(parts, seen)
    )
    if lock is not None:
        return _restore(parts, lock)
    if not was_in:
        return None
    return ReleaseReport(seen.tracker_id, why="others keep it frozen")


def _restore(
    parts: Parts, lock: Lock, jobs: tuple[str, ...] = ()
) -> ReleaseReport | None:
    """Restore; None to look again, since another release of ours was at it."""
    try:
        jobs += wait_for_jobs(parts, lock)
        leaving = strategy_of(lock).leave(parts, lock)
        report = witnessed(parts, lock, leaving.run)
    except LockLostError as error:
        if is_finished_by_a_twin(parts, lock):
            return _done_by_another(parts, lock)
        return ReleaseReport(lock.tracker_id, why=error.why)
    settle_notice(parts, lock.tracker_id)
    return replace(report, jobs=jobs)


def _done_by_another(parts: Parts, lock: Lock) -> ReleaseReport | None:
    """Return the report of a lock that was ours and is over, None if it is not."""
    find = parts.history.find_event
    done = find(lock.lineage, "restored_verified") or find(lock.lineage, "give_back")
    if done is None:
        return None
    certified = find(lock.lineage, CERTIFIED)
    return ReleaseReport(
        lock.tracker_id,
        released=True,
        restored=tuple(done.detail.get("restored", ())),
        drift=tuple(done.detail.get("drift", ())),
        why=f"another release at the same time, of {done.who}, put everything back",
        certificate=Certificate.from_json(certified.detail) if certified else None,
    )


def _start(parts: Parts, seen: Lock) -> Lock | None:
    ttl = parts.settings.ttl
    if seen.state is not LockState.RESTORING:
        lock = parts.store.start_restoring(seen, ttl=ttl, dirty=dirt_of(parts, seen))
        if lock is not None:
            return lock
    return parts.store.resume_restoring(
        seen, seen.owner, ttl=ttl, dirty=dirt_of(parts, seen)
    )


def _not_ours(
    parts: Parts, seen: Lock | None, owner_key: str, epoch: Epoch | None
) -> str:
    if seen is None or seen.state is LockState.FREE:
        return "nothing is locked"
    if seen.owner.key != owner_key:
        return f"{seen.owner.key} has the tracker"
    if seen.breaking is not None and not _may_still_restore(parts, seen):
        return f"{seen.breaking.by} is breaking the lock: {seen.breaking.reason}"
    is_other = epoch is not None and seen.epoch != epoch
    if is_other and seen.state is not LockState.RESTORING:
        return f"the lock was taken again since (epoch {seen.epoch})"
    return ""


def _may_still_restore(parts: Parts, seen: Lock) -> bool:
    """Return whether a break leaves its holder time to put everything back himself."""
    if seen.breaking is None or seen.state is LockState.RESTORING:
        return False
    return seen.breaking.until > parts.store.now()
