"""Ending somebody else's lock by force, and accepting permissions as they are."""

from __future__ import annotations

from datetime import datetime

from airflow_codebeamer.errors import LockLostError
from airflow_codebeamer.ids import Epoch, TrackerId
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.report import ReleaseReport
from airflow_codebeamer.locking.states import LockState
from airflow_codebeamer.locking.takeover import take_over

__all__ = ["accept_permissions", "break_lock"]


def break_lock(
    parts: Parts,
    tracker_id: TrackerId,
    *,
    by: str,
    reason: str,
    expect_epoch: Epoch | None,
) -> ReleaseReport:
    """Fence the holder, wait until none of his requests can land, restore, free."""
    seen = parts.store.find(parts.server, tracker_id)
    if seen is None or seen.state is LockState.FREE:
        return ReleaseReport(tracker_id, why="nothing is locked")
    if expect_epoch is not None and seen.epoch != expect_epoch:
        raise _moved(tracker_id, expect_epoch, seen)
    broken = parts.store.set_breaking(seen, by=by, reason=reason)
    if broken is None:
        found = parts.store.find(parts.server, tracker_id)
        raise _moved(tracker_id, seen.epoch, found)
    parts.say(
        f"Tracker {tracker_id}: {seen.owner.key} is fenced, waiting until none of "
        "its requests can be under way."
    )
    _wait(parts, broken)
    report = take_over(parts, broken, by, reason)
    if report is None:
        found = parts.store.find(parts.server, tracker_id)
        if found is not None and found.state is LockState.FREE:
            return ReleaseReport(tracker_id, released=True, why="it is free by now")
        raise _moved(tracker_id, broken.epoch, found)
    return report


def accept_permissions(
    parts: Parts, tracker_id: TrackerId, *, by: str, reason: str
) -> bool:
    """Forget what the last lock left, so that it is compared with no more."""
    seen = parts.store.find(parts.server, tracker_id)
    if seen is None or seen.state is not LockState.FREE:
        return False
    return parts.store.forget_fingerprint(seen, by=by, reason=reason) is not None


def _wait(parts: Parts, broken: Lock) -> None:
    if broken.breaking is None:
        return
    until = broken.breaking.since + parts.settings.lock_delay
    # A request that its sender has not closed may still wait for its turn, since
    # a throttled client sends late; it gets as long as a dead holder's would.
    for intent in parts.ledger.list_open(broken.lineage):
        if intent.epoch != broken.epoch:
            continue
        late = intent.begun_at + parts.settings.ttl + parts.settings.lock_delay
        until = max(until, late)
    _sleep_until(parts, until)


def _sleep_until(parts: Parts, until: datetime) -> None:
    while True:
        left = (until - parts.store.now()).total_seconds()
        if left <= 0:
            return
        parts.clock.sleep(min(left, parts.settings.poll.total_seconds()))


def _moved(tracker_id: TrackerId, expected: Epoch, found: Lock | None) -> LockLostError:
    return LockLostError(
        tracker_id,
        expected=expected,
        found=None if found is None else found.epoch,
        why="the record has moved on since it was looked at; look again, then break it",
    )
