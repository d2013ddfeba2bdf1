"""Searches: projects, trackers and users by what is known of them."""

from __future__ import annotations

from typing import Any

from airflow_codebeamer.emulator.access import Rights, require_project, roles_of
from airflow_codebeamer.emulator.call import Call, Route
from airflow_codebeamer.emulator.shown import (
    page_of,
    show_project,
    show_tracker,
    show_user,
    user_reference,
)
from airflow_codebeamer.emulator.world import User

__all__ = ["SEARCHES"]


def _whole(name: str, found: list[Any]) -> dict[str, Any]:
    """Return everything in one page, as where paging is not documented."""
    return {"page": 1, "pageSize": len(found), "total": len(found), name: found}


def _projects(call: Call) -> Any:
    world = call.world
    return _whole(
        "projects",
        [
            show_project(project)
            for project in world.projects.values()
            if project.key == call.body["keyName"]
            and (call.user.system_admin or roles_of(world, call.user, project.id))
        ],
    )


def _trackers(call: Call) -> Any:
    world, asked = call.world, call.body
    require_project(world, call.user, call.path["projectId"])
    shown = [
        show_tracker(world, tracker)
        for tracker in world.trackers.values()
        if tracker.project == call.path["projectId"]
        and Rights(world, call.user, tracker).sees_tracker
    ]
    key, kinds = asked.get("keyName"), asked.get("types")
    wanted = {kind.get("id") for kind in kinds or ()}
    found = [
        tracker
        for tracker in shown
        if key in (None, tracker["keyName"])
        and (not kinds or tracker["type"]["id"] in wanted)
    ]
    return _whole("trackers", found)


def _is_wanted(call: Call, user: User, asked: dict[str, Any]) -> bool:
    shown = show_user(user, call.user)
    project = asked.get("projectId")
    if project is not None and not roles_of(call.world, user, project):
        return False
    if asked.get("userStatus") not in (None, user.status):
        return False
    texts = {
        name: asked.get(name) for name in ("name", "email", "firstName", "lastName")
    }
    return all(
        text is None or text.casefold() in str(shown.get(name, "")).casefold()
        for name, text in texts.items()
    )


def _users(call: Call) -> Any:
    if call.body.get("projectId") is not None:
        require_project(call.world, call.user, call.body["projectId"])
    found = [
        show_user(user, call.user)
        for user in call.world.users.values()
        if _is_wanted(call, user, call.body)
    ]
    return _page(call, "users", found)


def _page(call: Call, name: str, found: list[Any]) -> dict[str, Any]:
    page, size = call.query["page"], call.query["pageSize"]
    return {
        "page": page,
        "pageSize": size,
        "total": len(found),
        name: page_of(found, page, size),
    }


def _list_users(call: Call) -> Any:
    world = call.world
    group = world.groups.get(call.query.get("groupId", 0))
    text = call.query.get("queryString", "").casefold()
    found = [
        user_reference(world, user.id)
        for user in world.users.values()
        if text in user.name.casefold()
        and ("groupId" not in call.query or (group and user.id in group.members))
    ]
    return _page(call, "users", found)


SEARCHES: dict[str, Route] = {
    "searchProjects": _projects,
    "searchAllTrackersInProject": _trackers,
    "searchUsers": _users,
    "getUsers": _list_users,
}
