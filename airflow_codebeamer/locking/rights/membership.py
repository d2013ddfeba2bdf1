"""Who else is in the exclusive role: asked rarely, remembered if nobody is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from airflow_codebeamer.errors import ApiError
from airflow_codebeamer.ids import ProjectId, RoleId, UserId
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.records.verdicts import Seat
from airflow_codebeamer.models import Reference, User

__all__ = ["Membership", "Verdict"]


@dataclass(frozen=True)
class Verdict:
    """What the members of a project mean for the exclusive role."""

    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Membership:
    """Looks whether an account is alone in a role.

    A good verdict is believed for `LockSettings.membership_age`, a bad one
    never: whoever has put it right must not wait.

    Not promised: that nobody joins the role meanwhile.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def inspect(self, project_id: ProjectId, role: Reference, user: User) -> Verdict:
        """Return who else is in the role, from the store or from the server."""
        verdicts, age = self._parts.store.verdicts, self._parts.settings.membership_age
        seat = Seat(self._parts.server, project_id, RoleId(role.id), user.name)
        notes = verdicts.find(seat, age)
        if notes is not None:
            return Verdict(notes=notes)
        verdict = self._ask(project_id, role, user)
        if not verdict.findings:
            verdicts.remember(seat, verdict.notes)
        return verdict

    def _ask(self, project_id: ProjectId, role: Reference, user: User) -> Verdict:
        notes: list[str] = []
        try:
            members = self._parts.client.projects.list_members(project_id)
        except ApiError as error:
            notes.append(
                f"who else is in the role {role.name} could not be seen (status "
                f'{error.status}): ask for the project permission "Members - View"'
            )
            return Verdict(notes=tuple(notes))
        people = self._people(members, notes)
        people.pop(UserId(user.id), None)
        findings = [
            f"account {name} is in the exclusive role {role.name} as well and would go "
            "on writing: remove it from that role"
            for user_id, name in people.items()
            if self._has(project_id, role, user_id, name, notes)
        ]
        return Verdict(tuple(findings), tuple(notes))

    def _people(
        self, members: Iterable[Reference], notes: list[str]
    ) -> dict[UserId, str]:
        """Return the accounts among members, those in their groups included.

        A group is never asked for its roles: its number may be an account's.
        """
        people: dict[UserId, str] = {}
        for member in members:
            if "group" not in member.type.lower():
                people[UserId(member.id)] = member.name or str(member.id)
                continue
            try:
                within = self._parts.client.users.list_group_members(member.id)
            except ApiError as error:
                notes.append(
                    f"who is in the group {member.name} could not be seen (status "
                    f"{error.status}): make sure that it is not in the exclusive role"
                )
                continue
            people.update({UserId(one.id): one.name or str(one.id) for one in within})
        return people

    def _has(
        self,
        project_id: ProjectId,
        role: Reference,
        user_id: UserId,
        name: str,
        notes: list[str],
    ) -> bool:
        try:
            held = self._parts.client.projects.list_member_roles(project_id, user_id)
        except ApiError as error:
            notes.append(
                f"whether account {name} is in the role {role.name} could not be seen "
                f"(status {error.status})"
            )
            return False
        return any(one.id == role.id for one in held)
