"""Projects, their trackers and their members."""

from __future__ import annotations

from typing import Any

from airflow_codebeamer.emulator.access import Rights, require_project, roles_of
from airflow_codebeamer.emulator.call import Call, Route
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.shown import (
    page_of,
    reference,
    show_project,
    user_reference,
)
from airflow_codebeamer.emulator.world import Project

__all__ = ["PROJECTS"]


def _project(call: Call) -> Project:
    require_project(call.world, call.user, call.path["projectId"])
    return call.world.projects[call.path["projectId"]]


def _get_projects(call: Call) -> Any:
    return [
        reference("ProjectReference", project)
        for project in call.world.projects.values()
        if call.user.system_admin or roles_of(call.world, call.user, project.id)
    ]


def _get_project(call: Call) -> Any:
    return show_project(_project(call))


def _get_trackers(call: Call) -> Any:
    project = _project(call)
    return [
        reference("TrackerReference", tracker)
        for tracker in call.world.trackers.values()
        if tracker.project == project.id
        and Rights(call.world, call.user, tracker).sees_tracker
    ]


def _get_members(call: Call) -> Any:
    project = _project(call)
    roles = roles_of(call.world, call.user, project.id)
    if not call.user.system_admin and not any(role.members_view for role in roles):
        raise RefusedError(403, "You have no permission to view members.")
    page, size = call.query["page"], call.query["pageSize"]
    members = [user_reference(call.world, number) for number in sorted(project.members)]
    members += [
        reference("UserGroupReference", call.world.groups[number])
        for number in sorted(project.groups)
    ]
    return {
        "page": page,
        "pageSize": size,
        "total": len(members),
        "members": page_of(members, page, size),
    }


def _get_roles_of_member(call: Call) -> Any:
    project = _project(call)
    user = call.world.users.get(call.path["userId"])
    roles = roles_of(call.world, user, project.id) if user is not None else []
    if not roles:
        raise RefusedError(404, "This user is not a member of the project.")
    return {"roles": [reference("RoleReference", role) for role in roles]}


PROJECTS: dict[str, Route] = {
    "getProjects": _get_projects,
    "getProjectById": _get_project,
    "getTrackers": _get_trackers,
    "getMembersOfProject": _get_members,
    "getProjectRolesOfMember": _get_roles_of_member,
}
