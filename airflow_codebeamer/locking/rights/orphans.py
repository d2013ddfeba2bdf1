"""Permissions that look like our own lock although no record says locked.

It happens when the store was put back from a backup, or when a request of a
dead process landed after everything was over. Taken as the original, such
permissions would be lost for good: so they stop a new lock.
"""

from __future__ import annotations

from collections.abc import Iterable

from airflow_codebeamer.ids import Lineage
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.permissions import Permissions
from airflow_codebeamer.locking.rights.late import list_late, taken_late
from airflow_codebeamer.locking.roles import RoleEntry

__all__ = ["find_orphans"]


def find_orphans(parts: Parts, lock: Lock | None, now: Permissions) -> list[str]:
    """Return a sentence for each role that looks as a lock of ours left it.

    A role counts if it lacks what a request without an answer takes away, or if
    every role of the last lock looks locked. One of several that an administrator
    reduced in the same way does not; the only one does, and
    `LockEngine.accept_permissions` is the way to say that it was meant.
    """
    if lock is None or lock.state.is_restricted or not lock.fingerprint:
        return []
    # While a new lock is granted, the record's own lineage is already the new one.
    lineage = Lineage(lock.fingerprint["lineage"])
    entries = parts.ledger.list_roles(lineage).values()
    if lock.fingerprint.get("forgotten"):
        return [_forgotten(entry, lock) for entry in entries if _lacks(entry, now)]
    differing = [entry for entry in entries if _was_reduced(entry)]
    looking = [entry for entry in differing if now.of_role(entry.role_id) == entry.base]
    if len(looking) < len(differing) and len(differing) != 1:
        looking = []
    return [_sentence(entry, lock) for entry in entries if entry in looking] + [
        _sentence(entry, lock)
        for entry in _taken(parts, lock, lineage, entries, now)
        if entry not in looking
    ]


def _taken(
    parts: Parts,
    lock: Lock,
    lineage: Lineage,
    entries: Iterable[RoleEntry],
    now: Permissions,
) -> list[RoleEntry]:
    """Return the roles that lack what a request without an answer takes away."""
    late = list_late(parts, lock.tracker_id, lineage)
    return [e for e in entries if taken_late(late, e, now.of_role(e.role_id))]


def _sentence(entry: RoleEntry, lock: Lock) -> str:
    return (
        f"role {entry.name} has no more rights than our last lock left it, but no "
        "lock is recorded: run `airflow-codebeamer recover`, which gives back what a "
        "late request of ours took, or compare with `airflow-codebeamer lock history "
        f"{lock.tracker_id}` and give the role its rights back; if an administrator "
        f"meant it, say `airflow-codebeamer lock accept {lock.tracker_id}`"
    )


def _lacks(entry: RoleEntry, now: Permissions) -> bool:
    return entry.is_owed and bool(entry.left - now.of_role(entry.role_id))


def _forgotten(entry: RoleEntry, lock: Lock) -> str:
    return (
        f"role {entry.name} never got back what a lock took from it, which was "
        "forgotten since the tracker was gone: say `airflow-codebeamer lock remember "
        f"{lock.tracker_id} --reason TEXT`"
    )


def _was_reduced(entry: RoleEntry) -> bool:
    return entry.is_owed and entry.base is not None and entry.base != entry.left
