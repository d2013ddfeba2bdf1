"""Access: who may see and do what, decided from roles and tracker permissions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_codebeamer.emulator.catalog import (
    ALL_PERMISSIONS,
    NEWEST,
    PROJECT_ADMIN_MINIMUM,
)
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.world import Item, Role, Tracker, User, World

__all__ = [
    "ADD",
    "CLOSE",
    "DELETE",
    "HISTORY_VIEW",
    "MASS_EDIT",
    "VIEW_ANY",
    "VIEW_OWN",
    "Rights",
    "granted",
    "require_project",
    "roles_of",
]

VIEW_ANY, EDIT_ANY, VIEW_OWN, ADD, EDIT_OWN = 0, 1, 2, 3, 4
MASS_EDIT, CLOSE, DELETE, HISTORY_VIEW = 5, 6, 7, 8
_OWNER_FIELDS = (5, 32)
_NONE: frozenset[int] = frozenset()


def roles_of(world: World, user: User, project_id: int) -> list[Role]:
    """Return the user's roles in a project, direct and through groups."""
    project = world.projects.get(project_id)
    if project is None:
        return []
    numbers = set(project.members.get(user.id, ()))
    for group_id, roles in project.groups.items():
        group = world.groups.get(group_id)
        if group is not None and user.id in group.members:
            numbers.update(roles)
    return [world.roles[number] for number in sorted(numbers)]


def granted(world: World, tracker: Tracker, role: Role) -> frozenset[int]:
    """Return what a role may do on a tracker, the minimum of admins included."""
    source = tracker
    while source.permissions is None and source.template is not None:
        source = world.trackers[source.template]
    own = frozenset((source.permissions or {}).get(role.id, ()))
    if role.project_admin:
        own |= PROJECT_ADMIN_MINIMUM
    return own if world.assumptions["newest_permissions"] else own - NEWEST


def granted_to_creators(world: World, tracker: Tracker) -> frozenset[int]:
    """Return what whoever created an item may do to it; no operation shows this."""
    source = tracker
    while source.creator_permissions is None and source.template is not None:
        source = world.trackers[source.template]
    return frozenset(source.creator_permissions or ())


def require_project(world: World, user: User, project_id: int) -> None:
    """Refuse when a project is not there or not the user's to see.

    Raises:
        RefusedError: 404 for no project, 403 or 404 for an invisible one.
    """
    if project_id not in world.projects:
        raise RefusedError(404, "Project is not found.")
    if not user.system_admin and not roles_of(world, user, project_id):
        raise _invisible(world, "project")


class Rights:
    """What one user may do on one tracker, worked out once per request.

    With an item, `permissions` are what he may do to that item: if he created it,
    they hold what the tracker grants to creators.
    """

    def __init__(
        self, world: World, user: User, tracker: Tracker, item: Item | None = None
    ) -> None:
        self._world = world
        self._user = user
        self._roles = roles_of(world, user, tracker.project)
        if user.system_admin and not world.assumptions["system_admins_are_bound"]:
            self.permissions = frozenset(ALL_PERMISSIONS)
        else:
            self.permissions = frozenset[int]().union(
                *(granted(world, tracker, role) for role in self._roles)
            )
        self._as_creator = granted_to_creators(world, tracker) if self._roles else _NONE
        if item is not None:
            self.permissions = self._on(item)

    @property
    def sees_tracker(self) -> bool:
        """Tell whether the tracker exists for this user."""
        known = self.permissions | self._as_creator
        return VIEW_ANY in known or VIEW_OWN in known or self.administers_trackers

    @property
    def administers_trackers(self) -> bool:
        """Tell whether the user may set the tracker's permissions."""
        return self._user.system_admin or any(
            role.trackers_admin for role in self._roles
        )

    def has(self, permission: int) -> bool:
        """Tell whether the union of the user's roles holds a permission."""
        return permission in self.permissions

    def may_view(self, item: Item) -> bool:
        """Tell whether the user may read an item."""
        known = self._on(item)
        return VIEW_ANY in known or (VIEW_OWN in known and self.owns(item))

    def may_edit(self, item: Item) -> bool:
        """Tell whether the user may change an item that he may see."""
        known = self._on(item)
        return EDIT_ANY in known or (EDIT_OWN in known and self.owns(item))

    def _on(self, item: Item) -> frozenset[int]:
        if self._as_creator and item.created_by == self._user.id:
            return self.permissions | self._as_creator
        return self.permissions

    def owns(self, item: Item) -> bool:
        """Tell whether the item is the user's: his to do, or submitted by him."""
        if item.created_by == self._user.id:
            return True
        roles = {role.id for role in self._roles}
        return any(
            (entry["type"] == "UserReference" and entry["id"] == self._user.id)
            or (entry["type"] == "RoleReference" and entry["id"] in roles)
            for entry in _entries(item)
        )

    def require_tracker(self) -> None:
        """Refuse when the tracker is not the user's to see."""
        if not self.sees_tracker:
            raise _invisible(self._world, "tracker")

    def require_view(self, item: Item) -> None:
        """Refuse when the item is not the user's to see."""
        if not self.may_view(item):
            raise _invisible(self._world, "tracker item")

    def require_edit(self, item: Item) -> None:
        """Refuse when the item is not the user's to change."""
        self.require_view(item)
        if not self.may_edit(item):
            raise RefusedError(403, "You have no permission to edit this tracker item.")

    def require(self, permission: int, to_do: str) -> None:
        """Refuse when a permission is missing."""
        if permission not in self.permissions:
            raise RefusedError(403, f"You have no permission to {to_do}.")


def _entries(item: Item) -> Iterable[dict[str, Any]]:
    for number in _OWNER_FIELDS:
        yield from item.values.get(number) or ()


def _invisible(world: World, what: str) -> RefusedError:
    if world.assumptions["invisible_status"] == 404:
        return RefusedError(404, f"{what.capitalize()} is not found.")
    return RefusedError(403, f"You have no permission to view this {what}.")
