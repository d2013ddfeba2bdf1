"""Trackers and their fields."""

from __future__ import annotations

from typing import Any

from airflow_codebeamer.emulator.access import Rights
from airflow_codebeamer.emulator.call import Call, Route
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.shown import (
    item_reference,
    page_of,
    reference,
    show_tracker,
)
from airflow_codebeamer.emulator.values import STATUS
from airflow_codebeamer.emulator.world import Tracker

__all__ = ["TRACKERS"]

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


def _get_tracker(call: Call) -> Any:
    return show_tracker(call.world, _tracker(call))


def _get_fields(call: Call) -> Any:
    tracker = _tracker(call)
    return [
        {
            "id": known["id"],
            "name": known["name"],
            "type": "FieldReference",
            "trackerId": tracker.id,
        }
        for known in tracker.schema
    ]


def _get_field(call: Call) -> Any:
    known = _tracker(call).by_id.get(call.path["fieldId"])
    if known is None:
        raise RefusedError(404, "Field is not found.")
    return known


def _get_schema(call: Call) -> Any:
    return _tracker(call).schema


def _get_transitions(call: Call) -> Any:
    tracker = _tracker(call)
    start = call.query.get("fromStatusId")
    options = {option["id"]: option for option in tracker.by_id[STATUS]["options"]}
    shown = []
    for number, (before, after) in enumerate(tracker.transitions, start=1):
        if start is not None and before != start:
            continue
        one: dict[str, Any] = {
            "id": number,
            "name": options[after]["name"],
            "hidden": False,
            "toStatus": options[after],
        }
        if before:
            one["fromStatus"] = options[before]
        shown.append(one)
    return shown


def _get_options(call: Call) -> Any:
    """Answer what a choice field of an item may hold."""
    world = call.world
    item = world.live_item(call.path["itemId"])
    tracker = world.trackers[item.tracker]
    Rights(world, call.user, tracker).require_view(item)
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


def _get_items(call: Call) -> Any:
    tracker = _tracker(call)
    rights = Rights(call.world, call.user, tracker)
    page, size = call.query["page"], call.query["pageSize"]
    found = [
        item
        for item in call.world.items.values()
        if item.tracker == tracker.id and not item.trashed and rights.may_view(item)
    ]
    return {
        "page": page,
        "pageSize": size,
        "total": len(found),
        "itemRefs": [item_reference(item) for item in page_of(found, page, size)],
    }


TRACKERS: dict[str, Route] = {
    "getTracker": _get_tracker,
    "getTrackerFields": _get_fields,
    "getTrackerField": _get_field,
    "getTrackerSchema": _get_schema,
    "getTrackerTransitions": _get_transitions,
    "getItemsByTracker": _get_items,
    "getChoiceOptions": _get_options,
}
