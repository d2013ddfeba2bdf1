"""Permissions that look like our own lock although no record says locked.

It happens when the store was put back from a backup, or when a request of a
dead process landed after everything was over. Taken as the original, such
permissions would be lost for good: so they stop a new lock.
"""

from __future__ import annotations

from collections.abc import Iterator

from airflow_codebeamer.ids import Lineage, RoleId
from airflow_codebeamer.locking.ledger import REDUCE, value_of
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.permissions import Permissions
from airflow_codebeamer.locking.roles import RoleEntry

__all__ = ["find_orphans"]


def find_orphans(parts: Parts, lock: Lock | None, now: Permissions) -> list[str]:
    """Return a sentence for each role that looks as our last lock left it.

    A role counts if a request for exactly what it has was never answered, or
    if every role of the last lock looks locked. One of several that an
    administrator reduced in the same way does not; the only one does, and
    `LockEngine.accept_permissions` is the way to say that it was meant.
    """
    if lock is None or lock.state.is_restricted or not lock.fingerprint:
        return []
    # While a new lock is granted, the record's own lineage is already the new one.
    lineage = lock.fingerprint["lineage"]
    entries = parts.ledger.list_roles(lineage).values()
    differing = [entry for entry in entries if _was_reduced(entry)]
    looking = [entry for entry in differing if now.of_role(entry.role_id) == entry.base]
    if not looking:
        return []
    if len(looking) < len(differing) or len(differing) == 1:
        late = set(_sent_late(parts, lineage, now))
        looking = [e for e in looking if e.role_id in late or len(differing) == 1]
    return [
        f"role {entry.name} has exactly the rights that our last lock left it, but no "
        "lock is recorded: run `airflow-codebeamer recover`, which gives back what a "
        "late request of ours took, or compare with `airflow-codebeamer lock history "
        f"{lock.tracker_id}` and give the role its rights back; if an administrator "
        f"meant it, say `airflow-codebeamer lock accept {lock.tracker_id}`"
        for entry in looking
    ]


def _was_reduced(entry: RoleEntry) -> bool:
    return entry.is_owed and entry.base is not None and entry.base != entry.left


def _sent_late(parts: Parts, lineage: Lineage, now: Permissions) -> Iterator[RoleId]:
    for intent in parts.ledger.list_unsettled(lineage):
        role_id = RoleId(int(intent.key))
        if intent.kind == REDUCE and value_of(intent) == now.of_role(role_id):
            yield role_id
