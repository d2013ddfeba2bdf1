"""Shown: things of the world in the shapes that answers have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_codebeamer.emulator.catalog import PERMISSIONS
from airflow_codebeamer.emulator.tracker_kinds import type_reference
from airflow_codebeamer.emulator.values import to_value
from airflow_codebeamer.emulator.world import Item, Project, Tracker, User, World

__all__ = [
    "item_reference",
    "page_of",
    "permission_reference",
    "reference",
    "show_item",
    "show_project",
    "show_tracker",
    "show_user",
    "user_reference",
]

_LISTS = (
    "areas",
    "assignedTo",
    "categories",
    "owners",
    "platforms",
    "resolutions",
    "severities",
    "subjects",
    "teams",
    "versions",
)
_FOLDERS = ("Folder", "Information")


def reference(kind: str, thing: Any) -> dict[str, Any]:
    """Return a reference to anything that has an id and a name."""
    return {"id": thing.id, "name": thing.name, "type": kind}


def item_reference(item: Item) -> dict[str, Any]:
    """Return a reference to an item."""
    return {"id": item.id, "name": item.name, "type": "TrackerItemReference"}


def user_reference(world: World, user_id: int) -> dict[str, Any]:
    """Return a reference to a user, also to one who is not there any more."""
    user = world.users.get(user_id)
    name = user.name if user is not None else str(user_id)
    return {"id": user_id, "name": name, "type": "UserReference"}


def permission_reference(number: int) -> dict[str, Any]:
    """Return a reference to a tracker permission."""
    name = PERMISSIONS[number][0]
    return {"id": number, "name": name, "type": "TrackerPermissionReference"}


def page_of(found: list[Any], page: int, size: int) -> list[Any]:
    """Cut one page, counted from 1, out of a list."""
    return found[(page - 1) * size : page * size]


def show_item(
    world: World,
    item: Item,
    *,
    ordinal: int | None = None,
    revision: dict[str, Any] | None = None,
    hide: frozenset[int] = frozenset(),
) -> dict[str, Any]:
    """Return a whole item, as it is or as it was, without the fields to hide."""
    tracker = world.trackers[item.tracker]
    values = item.values if revision is None else revision["values"]
    if ordinal is None:
        ordinal = 0
        if not item.trashed:
            ordinal = world.siblings(tracker, item.parent).index(item.id)
    shown: dict[str, Any] = {
        "id": item.id,
        "name": "",
        "descriptionFormat": "PlainText",
        "createdAt": item.created_at,
        "createdBy": user_reference(world, item.created_by),
        "modifiedAt": item.modified_at if revision is None else revision["at"],
        "modifiedBy": user_reference(
            world, item.modified_by if revision is None else revision["by"]
        ),
        "version": item.version if revision is None else revision["version"],
        "tracker": reference("TrackerReference", tracker),
        "children": [item_reference(world.items[child]) for child in item.children],
    }
    shown |= {name: [] for name in _LISTS}
    shown["comments"] = [
        {"id": number, "type": "CommentReference"}
        for number in item.comments
        if world.comments[number].text
    ]
    if item.parent is not None:
        shown["parent"] = item_reference(world.items[item.parent])
    if hide:
        values = {at: kept for at, kept in values.items() if at not in hide}
    custom = _fill(world, shown, tracker, values)
    shown["customFields"] = custom
    shown["ordinal"] = ordinal
    shown["typeName"] = _type_name(tracker, shown["categories"])
    return shown


def _fill(
    world: World, shown: dict[str, Any], tracker: Tracker, values: dict[int, Any]
) -> list[dict[str, Any]]:
    """Put built-in values into their properties, and return the custom ones."""
    custom = []
    for number, kept in values.items():
        known = tracker.by_id[number]
        name = known.get("trackerItemField")
        if name is None:
            custom.append(to_value(world, known, kept))
        elif known.get("multipleValues") is False:
            shown[name] = kept[0]
        else:
            shown[name] = kept
    return custom


def _type_name(tracker: Tracker, categories: Iterable[dict[str, Any]]) -> str:
    for category in categories:
        if category["name"] in _FOLDERS:
            return str(category["name"])
    return tracker.item_type


def show_project(project: Project) -> dict[str, Any]:
    """Return a whole project."""
    return {
        "id": project.id,
        "name": project.name,
        "keyName": project.key,
        "descriptionFormat": "Wiki",
        "closed": False,
        "deleted": False,
        "template": False,
        "version": 1,
    }


def show_tracker(world: World, tracker: Tracker) -> dict[str, Any]:
    """Return a whole tracker."""
    shown = {
        "id": tracker.id,
        "name": tracker.name,
        "keyName": tracker.key,
        "descriptionFormat": "Wiki",
        "version": tracker.version,
        "createdAt": tracker.created_at,
        "createdBy": user_reference(world, tracker.created_by),
        "modifiedAt": tracker.created_at,
        "modifiedBy": user_reference(world, tracker.created_by),
        "project": reference("ProjectReference", world.projects[tracker.project]),
        "type": type_reference(tracker.item_type),
        "deleted": False,
        "hidden": False,
        "usingWorkflow": True,
        "usingQuickTransitions": False,
        "onlyWorkflowCanCreateNewReferringItem": False,
        "defaultShowAncestorItems": False,
        "defaultShowDescendantItems": False,
        "availableAsTemplate": tracker.available_as_template,
        "sharedInWorkingSet": False,
    }
    if tracker.template is not None:
        template = world.trackers[tracker.template]
        shown["templateTracker"] = reference("TrackerReference", template)
    return shown


def show_user(user: User, viewer: User) -> dict[str, Any]:
    """Return a user; his address only to himself and to administrators."""
    shown = {
        "id": user.id,
        "name": user.name,
        "firstName": user.name.capitalize(),
        "lastName": "",
        "status": user.status,
    }
    if user.email and (viewer.system_admin or viewer.id == user.id):
        shown["email"] = user.email
    return shown
