"""What a person decides about single roles of a lock: amend, and answer.

Both go into the journal of the lock, from which whoever restores reads them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.ids import PermissionId, RoleId, TrackerId
from airflow_codebeamer.locking.escrow.entrusting import entrust
from airflow_codebeamer.locking.escrow.noticing import renew_escrow
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.permissions import (
    NOTHING,
    Names,
    Rights,
    rights_to_json,
    spell,
)
from airflow_codebeamer.locking.rights.policies import ANSWERS
from airflow_codebeamer.locking.roles import Phase, RoleEntry
from airflow_codebeamer.locking.states import LockState

__all__ = ["amend", "answer"]


def amend(
    parts: Parts,
    tracker_id: TrackerId,
    role: str,
    *,
    add: Collection[str],
    remove: Collection[str],
    by: str,
    reason: str,
) -> None:
    """Change what a reduced role gets back; see `LockEngine.amend`."""
    if not add and not remove:
        raise ConfigurationError("--add", "say which permission to add or to remove")
    seen = _find(parts, tracker_id, LockState.HELD, "hold the tracker before you amend")
    entry = _role(parts, seen, role)
    if entry.phase is Phase.EXCLUSIVE or not entry.touched:
        raise ConfigurationError(
            "--role",
            f"the lock took nothing from {entry.name}: change it in Codebeamer",
        )
    names = dict(entry.names)
    if any(not _known(word, names) for word in (*add, *remove)):
        listed = parts.client.trackers.list_known_permissions()
        names |= {right.id: right.name for right in listed}
    added = frozenset(_permission(word, names, "--add") for word in add)
    removed = frozenset(_permission(word, names, "--remove") for word in remove)
    _check(entry, added, removed, names)
    parts.ledger.amend(
        seen,
        entry,
        added=added,
        removed=removed,
        names=names,
        detail={
            "role": entry.name,
            "role_id": entry.role_id,
            "granted": spell(added, names),
            "revoked": spell(removed, names),
            "rights": rights_to_json(added | removed, names),
            "reason": reason,
        },
        by=by,
    )
    escrow = entrust(parts, seen, parts.ledger.list_roles(seen.lineage).values())
    renew_escrow(parts, seen, escrow)


def answer(
    parts: Parts, tracker_id: TrackerId, role: str, *, take: str, by: str, reason: str
) -> None:
    """Say what becomes of a role that waits; see `LockEngine.answer`."""
    if take not in ANSWERS:
        raise ConfigurationError("--take", f"say {', '.join(ANSWERS)}, not {take!r}")
    seen = _find(parts, tracker_id, LockState.RESTORING, "nothing waits for an answer")
    entry = _role(parts, seen, role)
    if entry.phase is not Phase.WAITING:
        raise ConfigurationError(
            "--role", f"role {entry.name} does not wait for an answer"
        )
    detail = {
        "role": entry.name,
        "role_id": entry.role_id,
        "take": take,
        "reason": reason,
    }
    parts.ledger.answer(seen, entry.role_id, take, detail=detail, by=by)


def _find(parts: Parts, tracker_id: TrackerId, state: LockState, advice: str) -> Lock:
    seen = parts.store.find(parts.server, tracker_id)
    if seen is None or seen.state is not state:
        found = "free" if seen is None else seen.state.value
        raise ConfigurationError(f"tracker {tracker_id}", f"it is {found}: {advice}")
    return seen


def _role(parts: Parts, seen: Lock, role: str) -> RoleEntry:
    entries = parts.ledger.list_roles(seen.lineage)
    if role.isdigit() and RoleId(int(role)) in entries:
        return entries[RoleId(int(role))]
    found = [e for e in entries.values() if e.name.casefold() == role.casefold()]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{entry.name} ({entry.role_id})" for entry in entries.values())
    raise ConfigurationError("--role", f"say one of {known}, not {role!r}")


def _known(word: str, names: Names) -> bool:
    return bool(_matching(word, names))


def _matching(word: str, names: Names) -> Sequence[PermissionId]:
    by_name = [i for i, name in names.items() if name.casefold() == word.casefold()]
    if by_name or not word.isdigit():
        return by_name
    return [number for number in names if number == int(word)]


def _permission(word: str, names: Names, option: str) -> PermissionId:
    found = _matching(word, names)
    if len(found) == 1:
        return found[0]
    known = ", ".join(sorted(filter(None, names.values())))
    raise ConfigurationError(option, f"there is no permission {word!r}; known: {known}")


def _check(entry: RoleEntry, added: Rights, removed: Rights, names: Names) -> None:
    if both := added & removed:
        raise ConfigurationError(
            "--add", f"{spell(both, names)} cannot be both added and removed"
        )
    if lacking := removed - entry.original:
        raise ConfigurationError(
            "--remove",
            f"role {entry.name} would not get {spell(lacking, names)} back anyway",
        )
    if (known := added & entry.original) != NOTHING:
        raise ConfigurationError(
            "--add", f"role {entry.name} gets {spell(known, names)} back anyway"
        )
