"""Fields: what a choice may hold, and who may see and write which field."""

from __future__ import annotations

from typing import Any

from airflow_codebeamer.emulator.access import Rights, roles_of
from airflow_codebeamer.emulator.call import Call, Route
from airflow_codebeamer.emulator.field_access import LEVELS, level_of
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.shown import item_reference, page_of, reference
from airflow_codebeamer.emulator.values import NOT_EDITABLE, STATUS
from airflow_codebeamer.emulator.world import Item, Tracker

__all__ = ["FIELDS"]

_PEOPLE = {"USER": "users", "ROLE": "roles", "GROUP": "groups"}
_KINDS = {
    "USER": "UserReference",
    "ROLE": "RoleReference",
    "GROUP": "UserGroupReference",
}


def _tracker(call: Call) -> Tracker:
    tracker = call.world.tracker(call.path["trackerId"])
    Rights(call.world, call.user, tracker).require_tracker()
    return tracker


def _item(call: Call) -> tuple[Item, Tracker, Rights]:
    item = call.world.live_item(call.path["itemId"])
    tracker = call.world.trackers[item.tracker]
    rights = Rights(call.world, call.user, tracker)
    rights.require_view(item)
    return item, tracker, rights


def _field_reference(tracker: Tracker, known: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": known["id"],
        "name": known["name"],
        "type": "FieldReference",
        "trackerId": tracker.id,
    }


def _get_options(call: Call) -> Any:
    """Answer what a choice field of an item may hold."""
    _, tracker, _ = _item(call)
    known = tracker.by_id.get(call.path["fieldId"])
    if known is None or not known["valueModel"].startswith("ChoiceFieldValue"):
        raise RefusedError(404, "Choice field is not found.")
    found = _options(call, known)
    page, size = call.query["page"], call.query["pageSize"]
    return {
        "page": page,
        "pageSize": size,
        "total": len(found),
        "references": page_of(found, page, size),
    }


def _options(call: Call, known: dict[str, Any]) -> list[dict[str, Any]]:
    if "options" in known:
        return list(known["options"])
    world = call.world
    if known.get("referenceType") == "TrackerItemReference":
        rights = {
            number: Rights(world, call.user, tracker)
            for number, tracker in world.trackers.items()
        }
        return [
            item_reference(item)
            for item in world.items.values()
            if not item.trashed and rights[item.tracker].may_view(item)
        ]
    return [
        reference(_KINDS[kind], thing)
        for kind in known.get("memberTypes", ())
        for thing in getattr(world, _PEOPLE[kind]).values()
    ]


def _get_option(call: Call) -> Any:
    known = _tracker(call).by_id.get(call.path["fieldId"])
    for option in (known or {}).get("options", ()):
        if option["id"] == call.path["optionId"]:
            return option
    raise RefusedError(404, "Option is not found.")


def _statuses(call: Call, tracker: Tracker) -> list[dict[str, Any]]:
    """Return the statuses that are asked for: one, or all that can be set."""
    wanted = call.query.get("statusId")
    found = [
        option
        for option in tracker.by_id[STATUS]["options"]
        if option["id"] == wanted or (wanted is None and option["id"])
    ]
    if not found:
        raise RefusedError(400, f"Status id {wanted} is invalid.")
    return found


def _permissions(
    call: Call, tracker: Tracker, known: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return, for each status, the level of every role of the project on a field."""
    roles = [
        role for role in call.world.roles.values() if role.project == tracker.project
    ]
    return [
        {
            "status": status,
            "permissions": [
                {
                    "accessLevel": level_of(
                        tracker, [role.id], known["id"], status["id"]
                    ),
                    "field": _field_reference(tracker, known),
                    "role": reference("RoleReference", role),
                }
                for role in roles
            ],
        }
        for status in _statuses(call, tracker)
    ]


def _get_permissions(call: Call) -> Any:
    tracker = _tracker(call)
    known = tracker.by_id.get(call.path["fieldId"])
    if known is None:
        raise RefusedError(404, "Field is not found.")
    return _permissions(call, tracker, known)


def _get_all_permissions(call: Call) -> Any:
    tracker = _tracker(call)
    return {
        "permissions": [
            {
                "fieldReference": _field_reference(tracker, known),
                "fieldPermissions": _permissions(call, tracker, known),
            }
            for known in tracker.schema
        ]
    }


def _get_accessibility(call: Call) -> Any:
    """Answer, for each field of an item, what the user may do with it."""
    item, tracker, rights = _item(call)
    now = item.values.get(STATUS)
    status = call.query.get("targetStatusId", now[0]["id"] if now else 0)
    if status not in {option["id"] for option in tracker.by_id[STATUS]["options"]}:
        raise RefusedError(400, f"Status id {status} is invalid.")
    roles = [role.id for role in roles_of(call.world, call.user, tracker.project)]
    may_edit = rights.may_edit(item)
    shown = []
    for known in tracker.schema:
        level = LEVELS[2]
        if not call.user.system_admin:
            level = level_of(tracker, roles, known["id"], status)
        one = {
            "field": _field_reference(tracker, known),
            "visible": level != "NONE" and not known["hidden"],
            "editable": may_edit
            and level == LEVELS[2]
            and known["id"] not in NOT_EDITABLE,
            "mandatory": any(
                one["id"] == status for one in known["mandatoryInStatuses"]
            ),
        }
        shown.append(one)
    return {"fields": shown}


FIELDS: dict[str, Route] = {
    "getChoiceOptions": _get_options,
    "getChoiceOption": _get_option,
    "getTrackerFieldPermissions": _get_permissions,
    "getTrackerFieldsPermissions": _get_all_permissions,
    "getItemAccessibility": _get_accessibility,
}
