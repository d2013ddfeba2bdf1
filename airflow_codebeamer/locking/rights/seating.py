"""Whether the two writers of a rotation are where they must be, each in its role."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from airflow_codebeamer.ids import ProjectId, RoleId, UserId
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.permissions import Permissions, freeze, spell
from airflow_codebeamer.locking.rights.membership import Membership
from airflow_codebeamer.locking.rotation import Writer

__all__ = ["Seating", "inspect_rest", "inspect_seats"]


@dataclass(frozen=True)
class Seating:
    """What the project says of the writers, and the numbers of their roles."""

    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    roles: tuple[tuple[str, RoleId], ...] = ()


def inspect_seats(parts: Parts, project_id: ProjectId) -> Seating:
    """Look whether each writer is in his role and in no other, and alone there.

    Two requests for each writer; more when the members were not looked at lately.
    """
    seating = Seating()
    for writer in parts.rotation.writers if parts.rotation else ():
        one = _inspect(parts, project_id, writer)
        seating = Seating(
            seating.findings + one.findings,
            seating.notes + one.notes,
            seating.roles + one.roles,
        )
    return seating


def _inspect(parts: Parts, project_id: ProjectId, writer: Writer) -> Seating:
    user = parts.client.users.find_user(writer.login)
    if user is None:
        return Seating((f"the server has no account {writer.login}",))
    held = parts.client.projects.list_member_roles(project_id, UserId(user.id))
    own = [role for role in held if writer.role in (role.name, str(role.id))]
    findings = [
        f"account {writer.login} is in the role {role.name} as well: a writer has to "
        f"be in the role {writer.role} and in no other"
        for role in held
        if role not in own
    ]
    if not own:
        return Seating(
            (
                *findings,
                f"account {writer.login} is not in the role {writer.role}: add it to "
                "that role, and nobody else",
            )
        )
    membership = Membership(parts).inspect(project_id, own[0], user)
    return Seating(
        (*findings, *membership.findings),
        membership.notes,
        ((writer.role, RoleId(own[0].id)),),
    )


def inspect_rest(
    parts: Parts, roles: tuple[tuple[str, RoleId], ...], now: Permissions
) -> Iterator[str]:
    """Yield what is wrong with the writers' rights while nobody holds the tracker."""
    for name, role_id in roles:
        rights = now.of_role(role_id)
        writes = rights - freeze(rights, now.names, parts.settings.read_only)
        if not rights:
            yield f"role {name} may not view the tracker: give it the rights that read"
        if writes:
            yield (
                f"role {name} may write while nobody holds the tracker: take "
                f"{spell(writes, now.names)} from it, the lock gives it what it needs"
            )
