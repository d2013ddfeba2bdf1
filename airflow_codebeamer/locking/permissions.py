"""Permissions now, permissions frozen, and the way back; pure.

Rights are sets of permission numbers. Names matter in one place only: what
counts as read-only is a list of names, because numbers of newer servers are
not ours to guess.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_codebeamer.ids import PermissionId, RoleId
from airflow_codebeamer.models import RolePermissions, TrackerPermission

__all__ = [
    "ADMIN_MINIMUM",
    "Difference",
    "Permissions",
    "Rights",
    "difference",
    "freeze",
    "merge",
    "rights_from_json",
    "rights_to_json",
    "spell",
]

Rights = frozenset[PermissionId]
Names = Mapping[PermissionId, str]

NOTHING: Rights = frozenset()

#: What beyond reading a project administrator keeps on each tracker, as the
#: vendor's tests have it. No right to add, edit or delete.
ADMIN_MINIMUM = frozenset(
    {
        "issue_subscribe_others",
        "tracker_subscribe_others",
        "admin_public_view",
        "issue_suspected_merge",
        "branch_merge",
        "branch_replace_content",
        "data_administration",
    }
)


@dataclass(frozen=True)
class Difference:
    """What one set of rights has more, and less, than another."""

    added: Rights
    removed: Rights

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)


@dataclass(frozen=True)
class Permissions:
    """The permissions of every role on one tracker, as one answer showed them.

    Not promised: a role that is missing here may still exist, since servers do
    not list roles without rights.
    """

    roles: Mapping[RoleId, Rights]
    role_names: Mapping[RoleId, str] = field(default_factory=dict)
    names: Names = field(default_factory=dict)

    @classmethod
    def of(cls, answer: Iterable[RolePermissions]) -> Permissions:
        """Return the permissions in an answer of the server."""
        roles: dict[RoleId, Rights] = {}
        role_names: dict[RoleId, str] = {}
        names: dict[PermissionId, str] = {}
        for entry in answer:
            role_id = entry.role_id
            roles[role_id] = roles.get(role_id, NOTHING) | entry.ids
            role_names[role_id] = entry.role.name
            names.update({right.id: right.name for right in entry.permissions})
        return cls(roles, role_names, names)

    def of_role(self, role_id: RoleId) -> Rights:
        """Return a role's rights; of a role that is not listed, none."""
        return self.roles.get(role_id, NOTHING)

    def name_of(self, role_id: RoleId) -> str:
        """Return a role's name, or its number where the name is unknown."""
        return self.role_names.get(role_id) or f"role {role_id}"

    def canonical(self) -> str:
        """Return a text that is equal exactly when the permissions are.

        Roles and rights by number; a role without rights is left out, because
        a server may or may not list it.
        """
        roles = {
            str(role_id): sorted(self.roles[role_id])
            for role_id in sorted(self.roles)
            if self.roles[role_id]
        }
        return json.dumps(roles, separators=(",", ":"))

    def digest(self) -> str:
        """Return the SHA-256 of the canonical text."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()


def freeze(rights: Rights, names: Names, read_only: Collection[str]) -> Rights:
    """Return the rights that a locked role keeps: those known to be read-only.

    A right without a name, or with one that the list does not have, is taken
    away: better a reader less than a writer more.
    """
    kept = {name.casefold() for name in read_only}
    return frozenset(
        right for right in rights if names.get(right, "").casefold() in kept
    )


def merge(original: Rights, base: Rights, current: Rights) -> Rights:
    """Return what a role must have after the lock, edits of others respected.

    `base` is what the role had once we had reduced it. What `current` has
    more was granted by somebody else meanwhile, what it has less was revoked;
    both survive on top of `original`. Merging the result again changes
    nothing, so a repeated restore needs no memory.

    Not promised: a right that we had taken away cannot have been revoked by
    anybody else, so it always comes back.
    """
    return (original | (current - base)) - (base - current)


def difference(before: Rights, after: Rights) -> Difference:
    """Return what `after` has more and less than `before`."""
    return Difference(added=after - before, removed=before - after)


def spell(rights: Rights, names: Names) -> str:
    """Return rights as people read them: their names, sorted."""
    return ", ".join(sorted(names.get(right) or f"right {right}" for right in rights))


def rights_to_json(rights: Rights, names: Names) -> list[dict[str, Any]]:
    """Return rights as JSON, by number, with the names that are known."""
    return [{"id": right, "name": names.get(right, "")} for right in sorted(rights)]


def rights_from_json(
    value: Iterable[Mapping[str, Any]],
) -> tuple[Rights, dict[PermissionId, str]]:
    """Return the rights that `rights_to_json` wrote, and their names."""
    names = {PermissionId(int(e["id"])): str(e.get("name", "")) for e in value}
    return frozenset(names), names


def request_of(rights: Rights, names: Names) -> list[TrackerPermission]:
    """Return rights in the shape that the client sends."""
    return [
        TrackerPermission(id=right, name=names.get(right, ""))
        for right in sorted(rights)
    ]
