"""Users, groups and roles."""

from __future__ import annotations

from typing import Any

from airflow_codebeamer.emulator.call import Call, Route
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.shown import (
    page_of,
    reference,
    show_user,
    user_reference,
)

__all__ = ["USERS"]


def _get_user(call: Call) -> Any:
    user = call.world.users.get(call.path["userId"])
    if user is None:
        raise RefusedError(404, "User is not found.")
    return show_user(user, call.user)


def _get_user_by_name(call: Call) -> Any:
    user = call.world.by_name.get(call.query["name"])
    if user is None:
        raise RefusedError(404, "User is not found.")
    return show_user(user, call.user)


def _get_user_by_email(call: Call) -> Any:
    wanted = call.query["email"].casefold()
    for user in call.world.users.values():
        if wanted and user.email.casefold() == wanted:
            return show_user(user, call.user)
    raise RefusedError(404, "User is not found.")


def _get_groups(call: Call) -> Any:
    groups = sorted(call.world.groups.values(), key=lambda group: group.id)
    return [reference("UserGroupReference", group) for group in groups]


def _get_group(call: Call) -> Any:
    group = call.world.groups.get(call.path["groupId"])
    if group is None:
        raise RefusedError(404, "User group is not found.")
    return {"id": group.id, "name": group.name, "description": ""}


def _get_group_members(call: Call) -> Any:
    if not call.user.system_admin:
        raise RefusedError(403, "You have no permission to administer accounts.")
    group = call.world.groups.get(call.path["groupId"])
    if group is None:
        raise RefusedError(404, "User group is not found.")
    page, size = call.query["page"], call.query["pageSize"]
    shown = [user_reference(call.world, number) for number in group.members]
    return {
        "page": page,
        "pageSize": size,
        "total": len(shown),
        "users": page_of(shown, page, size),
    }


def _get_roles(call: Call) -> Any:
    roles = sorted(call.world.roles.values(), key=lambda role: role.id)
    return [reference("RoleReference", role) for role in roles]


def _get_role(call: Call) -> Any:
    role = call.world.roles.get(call.path["roleId"])
    if role is None:
        raise RefusedError(404, "Role is not found.")
    return {"id": role.id, "name": role.name, "descriptionFormat": "PlainText"}


USERS: dict[str, Route] = {
    "getUser": _get_user,
    "getUserByName": _get_user_by_name,
    "getUserByEmail": _get_user_by_email,
    "getGroups": _get_groups,
    "getGroup": _get_group,
    "getGroupMembers": _get_group_members,
    "getRoles": _get_roles,
    "getRole": _get_role,
}
