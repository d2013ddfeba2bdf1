"""Trackers that look locked, or were locked, while the lock store knows nothing of it.

That is what a lost store leaves behind, or one that was put back from a backup.
"""

from __future__ import annotations

from dataclasses import dataclass

from airflow_codebeamer.ids import Epoch, RoleId, TrackerId
from airflow_codebeamer.locking.escrow.notice import Notice
from airflow_codebeamer.locking.escrow.notice_place import read_notice
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.permissions import Permissions, freeze
from airflow_codebeamer.locking.records.epochs import raise_epoch
from airflow_codebeamer.locking.records.history import OPENED
from airflow_codebeamer.locking.states import LockState

__all__ = ["Unexplained", "find_unexplained", "repair_epoch"]

#: So many roles that only read are no chance; one may be meant so.
_SEVERAL = 2
#: Rights to write that no server takes from a project administrator (source: the
#: vendor's own tests), so that they stay under a lock.
_STAYING = frozenset(
    {
        "admin_public_view",
        "branch_merge",
        "branch_replace_content",
        "data_administration",
        "issue_subscribe_others",
        "issue_suspected_merge",
        "tracker_subscribe_others",
    }
)


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


def find_unexplained(parts: Parts, tracker_id: TrackerId) -> Unexplained:
    """Compare a tracker with its record and its notice.

    One request, and one more where notices are kept.

    Not promised: certainty without a notice. A tracker that somebody made read-only
    for everybody but the exclusive role looks the same; `lock accept` says so.
    """
    lock = parts.store.find(parts.server, tracker_id)
    found = read_notice(parts, tracker_id)
    notice = None if found is None else found[1]
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
    """Return the sentence for rights that look like those of a locked tracker."""
    now = parts.read(tracker_id)
    others = [
        role for role in now.roles if now.roles[role] and not _is_ours(parts, now, role)
    ]
    ours = [role for role in now.roles if _is_ours(parts, now, role)]
    if not any(_writes(parts, now, role) for role in ours):
        return ""
    if len(others) < _SEVERAL or any(_writes(parts, now, role) for role in others):
        return ""
    if _is_explained(parts, lock, now, others):
        return ""
    names = ", ".join(sorted(now.name_of(role) for role in others))
    return (
        f"only the exclusive role may write, {names} only read, and no record "
        "explains it: if the lock store was lost, `airflow-codebeamer restore "
        "--from-escrow LOG` gives the rights back; if it is meant so, say "
        f"`airflow-codebeamer lock accept {tracker_id}`"
    )


def _is_ours(parts: Parts, now: Permissions, role: RoleId) -> bool:
    return parts.exclusive_role in (now.name_of(role), str(role))


def _writes(parts: Parts, now: Permissions, role: RoleId) -> bool:
    rights = now.of_role(role)
    return freeze(rights, now.names, parts.settings.read_only | _STAYING) != rights


def _is_explained(
    parts: Parts, lock: Lock | None, now: Permissions, others: list[RoleId]
) -> bool:
    """Return whether a person meant it, or our last lock found it like that."""
    if lock is None:
        return False
    history = parts.history
    last = history.find_last(lock.server, lock.tracker_id, "accepted", "grant")
    if last is not None and last.kind == "accepted":
        return True
    if not lock.fingerprint:
        return False
    entries = parts.ledger.list_roles(lock.fingerprint["lineage"])
    left = [entries[role].left if role in entries else None for role in others]
    return left == [now.of_role(role) for role in others]
