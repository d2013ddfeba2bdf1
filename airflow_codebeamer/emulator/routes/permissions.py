"""Tracker permissions: a whole list per role, read for all roles at once."""

from __future__ import annotations

from typing import Any

from airflow_codebeamer.emulator.access import (
    MASS_EDIT,
    VIEW_ANY,
    VIEW_OWN,
    Rights,
    granted,
    roles_of,
)
from airflow_codebeamer.emulator.call import EMPTY, Call, Route
from airflow_codebeamer.emulator.catalog import ALL_PERMISSIONS, NEWEST, PERMISSIONS
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.shown import permission_reference, reference
from airflow_codebeamer.emulator.world import Role, Tracker, World

__all__ = ["PERMISSION_ROUTES", "list_permissions"]


def list_permissions(world: World, tracker: Tracker) -> list[dict[str, Any]]:
    """Return roles by id, each with its permissions by id."""
    shown = []
    for role in sorted(world.roles.values(), key=lambda role: role.id):
        if role.project != tracker.project:
            continue
        numbers = granted(world, tracker, role)
        if numbers or world.assumptions["list_empty_roles"]:
            shown.append(_shown(role, numbers))
    return shown


def _shown(role: Role, numbers: frozenset[int]) -> dict[str, Any]:
    return {
        "role": reference("RoleReference", role),
        "trackerPermissions": [permission_reference(at) for at in sorted(numbers)],
    }


def _known(call: Call) -> tuple[int, ...]:
    """Return the permissions that the server has; two are newer than the rest."""
    if call.world.assumptions["newest_permissions"]:
        return ALL_PERMISSIONS
    return tuple(number for number in ALL_PERMISSIONS if number not in NEWEST)


def _get_known(call: Call) -> Any:
    return [permission_reference(number) for number in _known(call)]


def _get_one(call: Call) -> Any:
    number = call.path["trackerPermissionId"]
    if number not in _known(call):
        raise RefusedError(404, "Tracker permission is not found.")
    name, label = PERMISSIONS[number]
    return {"id": number, "name": name, "label": label or name}


def _get_permissions(call: Call) -> Any:
    world = call.world
    tracker = world.tracker(call.path["trackerId"])
    if not Rights(world, call.user, tracker).sees_tracker:
        raise RefusedError(400, "No access permission for this resource.")
    shown = list_permissions(world, tracker)
    if "userId" in call.query:
        user = world.users.get(call.query["userId"])
        if user is None:
            raise RefusedError(404, "User is not found.")
        his = {role.id for role in roles_of(world, user, tracker.project)}
        shown = [entry for entry in shown if entry["role"]["id"] in his]
    if "roleId" in call.query:
        _role(world, tracker, call.query["roleId"])
        shown = [
            entry for entry in shown if entry["role"]["id"] == call.query["roleId"]
        ]
    return shown


def _role(world: World, tracker: Tracker, number: int) -> Role:
    role = world.roles.get(number)
    if role is None or role.project != tracker.project:
        raise RefusedError(404, "Role is not found.")
    return role


def _own_permissions(world: World, tracker: Tracker) -> dict[int, list[int]]:
    """Return the tracker's own permissions, copied from its template if it has none."""
    source = tracker
    while source.permissions is None and source.template is not None:
        source = world.trackers[source.template]
    if tracker.permissions is None:
        tracker.permissions = {
            role: list(numbers) for role, numbers in (source.permissions or {}).items()
        }
    return tracker.permissions


def _to_change(call: Call) -> tuple[Tracker, Role]:
    tracker = call.world.tracker(call.path["trackerId"])
    rights = Rights(call.world, call.user, tracker)
    rights.require_tracker()
    if not rights.administers_trackers:
        raise RefusedError(403, "You have no permission to administer trackers.")
    return tracker, _role(call.world, tracker, call.path["roleId"])


def _put_permissions(call: Call) -> Any:
    tracker, role = _to_change(call)
    numbers = [entry["id"] for entry in call.body["permissions"] or ()]
    for number in numbers:
        if number not in _known(call):
            raise RefusedError(404, f"Tracker permission {number} is not found.")
    if call.world.assumptions["lone_permissions"] == "ignore":
        numbers = _without_lone(numbers)
    own = _own_permissions(call.world, tracker)
    if numbers:
        own[role.id] = sorted(set(numbers))
    else:
        own.pop(role.id, None)
    if call.world.assumptions["put_permissions_answers"] == "role":
        return [_shown(role, granted(call.world, tracker, role))]
    return list_permissions(call.world, tracker)


def _without_lone(numbers: list[int]) -> list[int]:
    """Drop mass edit where there is no right to view."""
    if {VIEW_ANY, VIEW_OWN} & set(numbers):
        return numbers
    return [number for number in numbers if number != MASS_EDIT]


def _delete_permissions(call: Call) -> Any:
    tracker, role = _to_change(call)
    _own_permissions(call.world, tracker).pop(role.id, None)
    return EMPTY


PERMISSION_ROUTES: dict[str, Route] = {
    "getTrackerPermissions": _get_known,
    "getTrackerPermission": _get_one,
    "getTrackerPermissionsWithRoles": _get_permissions,
    "updatePermission": _put_permissions,
    "removePermissions": _delete_permissions,
}
