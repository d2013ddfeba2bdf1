"""Trackers that look locked, or were locked, while the lock store knows nothing of it.

That is what a lost store leaves behind, or one that was put back from a backup.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_codebeamer.ids import Epoch, TrackerId
from airflow_codebeamer.locking.escrow.notice import Notice
from airflow_codebeamer.locking.escrow.notice_place import read_notice
from airflow_codebeamer.locking.escrow.shut import find_shut, is_our_role, may_write
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.records.epochs import raise_epoch
from airflow_codebeamer.locking.records.history import OPENED
from airflow_codebeamer.locking.states import LockState

__all__ = ["Unexplained", "find_unexplained", "repair_epoch"]


@dataclass(frozen=True)
class Unexplained:
    """What the store does not explain of one tracker, a sentence each.

    `later_epoch` is what its notice has above the store's, None if it has not.
    """

    tracker_id: TrackerId
    findings: tuple[str, ...] = ()
    later_epoch: Epoch | None = None

    def __bool__(self) -> bool:
        return bool(self.findings)


def find_unexplained(
    parts: Parts,
    tracker_id: TrackerId,
    notices: Mapping[TrackerId, Notice] | None = None,
) -> Unexplained:
    """Compare a tracker with its record and its notice.

    One request, and one more where notices are kept; not with the `notices` that
    `list_notices` returned for all trackers at once.

    Not promised: certainty without a notice. A tracker that somebody made read-only
    for everybody but the exclusive role looks the same; `lock accept` says so.
    """
    if tracker_id == parts.client.settings.notice_tracker:
        # It is never locked, and may well be for nobody but us to write.
        return Unexplained(tracker_id)
    lock = parts.store.find(parts.server, tracker_id)
    if notices is None:
        found = read_notice(parts, tracker_id)
        notice = None if found is None else found[1]
    else:
        notice = notices.get(tracker_id)
    if notice is not None and notice.tracker_id == tracker_id:
        told = _of_notice(parts, lock, notice)
        if told:
            return told
    if lock is not None and lock.state is not LockState.FREE:
        return Unexplained(tracker_id)
    sentence = _of_permissions(parts, lock, tracker_id)
    return Unexplained(tracker_id, (sentence,) if sentence else ())


def repair_epoch(parts: Parts, found: Unexplained, *, by: str) -> bool:
    """Let no epoch be given out again that the notice has; return whether it rose."""
    if found.later_epoch is None:
        return False
    return raise_epoch(
        parts.store,
        parts.server,
        found.tracker_id,
        found.later_epoch,
        host="",
        by=by,
        why="the notice has it",
    )


def _of_notice(parts: Parts, lock: Lock | None, notice: Notice) -> Unexplained:
    tracker_id, epoch = notice.tracker_id, 0 if lock is None else lock.epoch
    find = parts.history.find_event
    is_known = find(notice.lineage, "grant") or find(notice.lineage, OPENED)
    findings = []
    if notice.is_locked and not is_known:
        findings.append(
            f"its notice says that it is locked under epoch {notice.epoch}, and the "
            "lock store does not know that lock: say `airflow-codebeamer restore "
            f"{tracker_id} --from-notice`"
        )
    elif notice.is_locked and lock is not None and lock.state is LockState.FREE:
        findings.append(
            "it is free, and its notice still says that it is locked: "
            "`airflow-codebeamer recover` or the next lock corrects that"
        )
    later = notice.epoch if notice.epoch > epoch else None
    if later is not None:
        findings.append(
            f"the lock store is at epoch {epoch}, and the notice at {notice.epoch}: "
            "the store was put back from a backup, or is new; `doctor --repair` raises "
            "it"
        )
    if later is not None and lock is not None and lock.state is not LockState.FREE:
        findings.append(
            f"the record says {lock.state.value} by {lock.owner.key}, and the notice "
            "knows a later lock: that one is over, `airflow-codebeamer recover` frees "
            "the tracker"
        )
    return Unexplained(tracker_id, tuple(findings), later)


def _of_permissions(parts: Parts, lock: Lock | None, tracker_id: TrackerId) -> str:
    """Return the sentence for rights that look like those of a locked tracker.

    Where the exclusive role does not write either it looks like an archive.
    """
    now = parts.read(tracker_id)
    ours = {role for role in now.roles if is_our_role(parts, now, role)}
    if not any(may_write(parts, now.roles[role], now.names) for role in ours):
        return ""
    return find_shut(parts, tracker_id, lock, now, ours)
