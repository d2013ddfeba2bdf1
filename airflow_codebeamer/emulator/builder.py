"""WorldBuilder: makes worlds, a thing at a time, with ids that never change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow_codebeamer.emulator.shown import item_reference
from airflow_codebeamer.emulator.tables import complete
from airflow_codebeamer.emulator.tracker_kinds import KINDS
from airflow_codebeamer.emulator.values import NAME, STATUS
from airflow_codebeamer.emulator.world import (
    Group,
    Item,
    Project,
    Role,
    Tracker,
    User,
    World,
)

__all__ = ["WorldBuilder"]

_START = "2026-01-01T00:00:00.000"


class WorldBuilder:
    """Builds a world; each method adds one thing and returns its id.

    Ids come from one counter per kind, so the same calls make the same world.
    """

    def __init__(self) -> None:
        self._world = World()

    def assume(self, **switches: Any) -> None:
        """Turn assumption switches, see `differences`.

        Raises:
            ValueError: There is no such switch.
        """
        unknown = sorted(set(switches) - set(self._world.assumptions))
        if unknown:
            raise ValueError(f"There is no assumption {', '.join(unknown)}.")
        self._world.assumptions |= switches

    def number_from(self, **first: int) -> None:
        """Let the ids of some kinds of things start elsewhere: `item=1336`."""
        self._world.counters |= first

    def user(
        self,
        name: str,
        *,
        password: str | None = None,
        system_admin: bool = False,
        rest_access: bool = True,
        token: str = "",
    ) -> int:
        """Add an account; its password is its name unless given."""
        number = self._world.next_id("user", 1)
        secret = name if password is None else password
        self._world.users[number] = User(
            number, name, secret, system_admin, rest_access, token
        )
        return number

    def group(self, name: str, *members: int) -> int:
        """Add a user group."""
        number = self._world.next_id("group", 501)
        self._world.groups[number] = Group(number, name, list(members))
        return number

    def project(self, name: str, key: str) -> int:
        """Add a project."""
        number = self._world.next_id("project", 101)
        self._world.projects[number] = Project(number, name, key)
        return number

    def role(
        self,
        project: int,
        name: str,
        *,
        project_admin: bool = False,
        trackers_admin: bool = False,
        members_view: bool = True,
    ) -> int:
        """Add a role to a project."""
        number = self._world.next_id("role", 11)
        self._world.roles[number] = Role(
            number,
            project,
            name,
            project_admin,
            trackers_admin or project_admin,
            members_view or project_admin,
        )
        return number

    def member(self, project: int, user: int, *roles: int) -> None:
        """Give a user roles in a project; more calls add more roles."""
        held = self._world.projects[project].members.setdefault(user, [])
        held.extend(role for role in roles if role not in held)

    def group_member(self, project: int, group: int, *roles: int) -> None:
        """Give a group roles in a project."""
        held = self._world.projects[project].groups.setdefault(group, [])
        held.extend(role for role in roles if role not in held)

    def tracker(
        self,
        project: int,
        name: str,
        key: str,
        *,
        permissions: Mapping[int, Iterable[int]] | None = None,
        available_as_template: bool = False,
        template: int | None = None,
        creator_permissions: Iterable[int] | None = None,
        kind: str = "Requirement",
    ) -> int:
        """Add a tracker of a kind: Requirement, Task or Test Case.

        A tracker with a template and without permissions has its template's.
        `creator_permissions` are granted to whoever created an item, on that item.
        """
        number = self._world.next_id("tracker", 2001)
        own: dict[int, list[int]] | None = None
        if permissions is not None or template is None:
            given = permissions or {}
            own = {role: sorted(set(ids)) for role, ids in given.items() if list(ids)}
        self._world.trackers[number] = Tracker(
            id=number,
            project=project,
            name=name,
            key=key,
            schema=KINDS[kind].schema(),
            statuses=KINDS[kind].statuses(),
            transitions=KINDS[kind].transitions(),
            item_type=kind,
            template=template,
            available_as_template=available_as_template,
            permissions=own,
            creator_permissions=(
                None if creator_permissions is None else sorted(creator_permissions)
            ),
        )
        return number

    def field_access(
        self, tracker: int, field: int, *, status: int | None = None, **roles: str
    ) -> None:
        """Say which roles may see (`READ`) and write (`WRITE`) a field.

        Roles are named as they are, an underscore for a space. A field that names
        roles is hidden from the others.
        """
        place = self._world.trackers[tracker]
        by_name = {
            role.name.replace(" ", "_"): role.id
            for role in self._world.roles.values()
            if role.project == place.project
        }
        for name, level in roles.items():
            place.field_access.append(
                {
                    "field": field,
                    "status": status,
                    "role": by_name[name],
                    "level": level,
                }
            )

    def default(self, tracker: int, field: int, value: Any) -> None:
        """Give a field the value that it has when nobody says another."""
        place = self._world.trackers[tracker]
        place.defaults[field] = _kept(self._world, place.by_id[field], value)

    def item(
        self,
        tracker: int,
        name: str,
        *,
        parent: int | None = None,
        fields: Mapping[int | str, Any] | None = None,
        created_by: int = 1,
    ) -> int:
        """Add an item at the end of its siblings.

        `fields` maps field ids or names to values: text and numbers as they are,
        options by their name, references by the ids of items, and rows of a
        table as maps from the names of columns to values.

        Raises:
            KeyError: The tracker has no such field or option.
        """
        world = self._world
        place = world.trackers[tracker]
        values: dict[int, Any] = {NAME: name}
        values[STATUS] = _kept(world, place.by_id[STATUS], place.statuses[0]["name"])
        by_name = {known["name"]: known for known in place.schema}
        for field, given in (fields or {}).items():
            known = by_name[field] if isinstance(field, str) else place.by_id[field]
            values[known["id"]] = _kept(world, known, given)
        number = world.next_id("item", 10001)
        item = Item(
            id=number,
            tracker=tracker,
            parent=parent,
            values=dict(sorted(values.items())),
            created_by=created_by,
            modified_by=created_by,
        )
        item.history.append(
            {
                "version": 1,
                "at": _START,
                "by": created_by,
                "changes": [],
                "values": item.values,
            }
        )
        world.items[number] = item
        world.siblings(place, parent).append(number)
        return number

    def build(self) -> dict[str, Any]:
        """Return the world as JSON."""
        return self._world.dump()


def _kept(world: World, known: dict[str, Any], given: Any) -> Any:
    if known["type"] == "TableField":
        return complete(world, known, [_row(known, row) for row in given], None)
    if known["type"] == "TrackerItemChoiceField":
        numbers = [given] if isinstance(given, int) else given
        return [item_reference(world.items[number]) for number in numbers]
    if "options" not in known:
        return given
    names = [given] if isinstance(given, str) else list(given)
    by_name = {option["name"]: option for option in known["options"]}
    return [dict(by_name[name]) for name in names]


def _row(known: dict[str, Any], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "fieldId": column["id"],
            "name": column["name"],
            "type": column["valueModel"],
            "value": given[column["name"]],
        }
        for column in known["columns"]
        if column["name"] in given
    ]
