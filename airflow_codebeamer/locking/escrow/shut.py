"""Trackers on which nobody else may write although no record explains it.

A lock leaves a tracker like that. If the store that knew of it is lost, the next lock
would take the reduced rights for the originals, and nobody would ever get his back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from airflow_codebeamer.ids import PermissionId, RoleId, TrackerId
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.permissions import (
    ADMIN_MINIMUM,
    Permissions,
    Rights,
    freeze,
)

__all__ = ["find_shut", "is_our_role", "may_write"]


def find_shut(
    parts: Parts,
    tracker_id: TrackerId,
    lock: Lock | None,
    now: Permissions,
    ours: Collection[RoleId],
) -> str:
    """Return a sentence if only `ours` may write and no record explains it, else "".

    What our last lock found like that, and left like that, is explained; so is what
    a person accepted (`LockEngine.accept_permissions`), until a lock finds it other.
    Roles that came since and only read are nobody's loss.

    Not promised: to find a tracker of which a lost lock had reduced only some roles,
    or whose server keeps more than a project administrator's minimum.
    """
    others = [role for role in now.roles if now.roles[role] and role not in ours]
    if not others or any(
        may_write(parts, now.roles[role], now.names) for role in others
    ):
        return ""
    if _is_explained(parts, lock, now, others):
        return ""
    names = ", ".join(sorted(now.name_of(role) for role in others))
    return (
        f"only the exclusive role may write, {names} only read, and no record "
        "explains it: if a lock store was lost or put back, it is locked, and "
        "`airflow-codebeamer restore --from-escrow LOG` gives the rights back (or "
        "--from-notice, or an administrator by hand); if it is meant so, say "
        f"`airflow-codebeamer lock accept {tracker_id} --reason WHY`, once"
    )


def is_our_role(parts: Parts, now: Permissions, role: RoleId) -> bool:
    """Return whether a role is the exclusive one of the settings."""
    return parts.exclusive_role in (now.name_of(role), str(role))


def may_write(parts: Parts, rights: Rights, names: Mapping[PermissionId, str]) -> bool:
    """Return whether a role has rights that a lock would have taken from it."""
    kept = parts.settings.read_only | ADMIN_MINIMUM
    return freeze(rights, names, kept) != rights


def _is_explained(
    parts: Parts, lock: Lock | None, now: Permissions, others: list[RoleId]
) -> bool:
    """Return whether a person meant it, or our last lock found it like that."""
    if lock is None:
        return False
    if not lock.fingerprint:
        last = parts.history.find_last(lock.server, lock.tracker_id, "accepted")
        return last is not None
    entries = parts.ledger.list_roles(lock.fingerprint["lineage"])
    known = [entries[role] for role in others if role in entries]
    return bool(known) and not any(
        may_write(parts, entry.left, {**now.names, **entry.names}) for entry in known
    )
