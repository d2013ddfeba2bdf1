"""The one way to free a record without a restore: its tracker does not exist any more.

Nothing is deleted by it: the journal keeps what every role had, so that a tracker which
is there after all gets everything back by `remember`.
"""

from __future__ import annotations

from airflow_codebeamer.errors import (
    ApiError,
    ConfigurationError,
    ForgetRefusedError,
    LockLostError,
    NotFoundError,
)
from airflow_codebeamer.ids import Epoch, Lineage, TrackerId
from airflow_codebeamer.locking.escrow.settling import settle_notice
from airflow_codebeamer.locking.lock import Lock, Owner
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.report import ReleaseReport
from airflow_codebeamer.locking.rights.restoring import Restoring
from airflow_codebeamer.locking.states import LockState

__all__ = ["forget", "name_of_resource", "remember"]


def name_of_resource(server: str, tracker_id: TrackerId) -> str:
    """Return what stands for a tracker where no number is enough: its address."""
    return f"{server}/tracker/{tracker_id}"


def forget(
    parts: Parts, tracker_id: TrackerId, *, expect_epoch: Epoch, by: str, reason: str
) -> Lock:
    """Free the record of a tracker that is gone; see `LockEngine.forget`."""
    seen = parts.store.find(parts.server, tracker_id)
    if seen is None or seen.state is not LockState.RESTORING:
        state = "free" if seen is None else seen.state.value
        raise ConfigurationError(
            f"tracker {tracker_id}",
            f"it is {state}, and only what cannot be restored is forgotten: look with "
            f"`airflow-codebeamer lock show {tracker_id}`, and end a lock with "
            "`airflow-codebeamer lock break`, which tries to restore first",
        )
    if seen.epoch != expect_epoch:
        raise _lost(tracker_id, expect_epoch, seen.epoch)
    _require_gone(parts, tracker_id)
    freed = parts.store.forget(
        seen, by=by, reason=reason, lock_delay=parts.settings.lock_delay
    )
    if freed is None:
        raise _lost(tracker_id, expect_epoch, None)
    settle_notice(parts, tracker_id)
    return freed


def remember(
    parts: Parts, tracker_id: TrackerId, *, by: str, reason: str
) -> ReleaseReport:
    """Restore what was forgotten, from its journal; see `LockEngine.remember`."""
    seen = parts.store.find(parts.server, tracker_id)
    known = {} if seen is None else seen.fingerprint or {}
    if seen is None or seen.state is not LockState.FREE or not known.get("forgotten"):
        raise ConfigurationError(
            f"tracker {tracker_id}", "no lock of it was forgotten, nothing to remember"
        )
    lineage = Lineage(known["lineage"])
    grant = parts.history.find_event(lineage, "grant")
    lock = parts.store.heal(
        seen,
        Owner(grant.who if grant is not None else by),
        lineage=lineage,
        ttl=parts.settings.ttl,
        detail={"reason": reason, "requests": []},
        by=by,
    )
    if lock is None:
        raise _lost(tracker_id, seen.epoch, None)
    report = Restoring(parts, lock, by=by).run()
    settle_notice(parts, tracker_id)
    return report


def _require_gone(parts: Parts, tracker_id: TrackerId) -> None:
    """Return if the server says twice that there is no such tracker.

    Only 404 says so. A refusal says that this account may not look.

    Raises:
        ForgetRefusedError: it is there, or this account may not know.
        TransportError, ServerError: nobody answered.
    """
    trackers = parts.client.trackers
    for look in (trackers.get_tracker, trackers.list_permissions):
        try:
            look(tracker_id)
        except NotFoundError:
            continue
        except ApiError as error:
            if 400 <= error.status < 500 and error.status != 429:
                raise ForgetRefusedError(tracker_id, status=error.status) from error
            raise
        raise ForgetRefusedError(tracker_id, status=200)


def _lost(tracker_id: TrackerId, expected: Epoch, found: Epoch | None) -> LockLostError:
    return LockLostError(
        tracker_id,
        expected=expected,
        found=found,
        why="somebody is at it, or it has moved on since it was looked at",
    )
