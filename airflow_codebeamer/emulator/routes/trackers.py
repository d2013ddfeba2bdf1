"""Trackers and their fields."""

from __future__ import annotations

from typing import Any

from airflow_codebeamer.emulator.access import CLOSE, Rights
from airflow_codebeamer.emulator.call import Call, Route
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.shown import item_reference, page_of, show_tracker
from airflow_codebeamer.emulator.tracker_kinds import KINDS, type_reference
from airflow_codebeamer.emulator.values import STATUS
from airflow_codebeamer.emulator.world import Tracker

__all__ = ["TRACKERS"]


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
    return _steps(tracker, call.query.get("fromStatusId"))


def _get_transitions_of_item(call: Call) -> Any:
    """Answer the steps that the user may take from where the item is."""
    item = call.world.live_item(call.path["itemId"])
    tracker = call.world.trackers[item.tracker]
    rights = Rights(call.world, call.user, tracker)
    rights.require_edit(item)
    now = item.values.get(STATUS)
    closed = {status["id"] for status in tracker.statuses if status["closed"]}
    return [
        step
        for step in _steps(tracker, now[0]["id"] if now else 0)
        if step["toStatus"]["id"] not in closed or rights.has(CLOSE)
    ]


def _steps(tracker: Tracker, start: int | None) -> list[dict[str, Any]]:
    """Return the steps of a workflow, from one status or all."""
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


def _get_types(call: Call) -> Any:
    wanted = call.query["outline"]
    # Every kind of tracker here has an outline.
    return [] if wanted == "DISABLED" else [type_reference(name) for name in KINDS]


def _get_type(call: Call) -> Any:
    for kind in KINDS.values():
        if kind.type_id == call.path["trackerTypeId"]:
            return {
                "id": kind.type_id,
                "name": kind.name,
                "varName": kind.name.replace(" ", ""),
                "outline": True,
            }
    raise RefusedError(404, "Tracker type is not found.")


def _get_items(call: Call) -> Any:
    tracker = _tracker(call)
    rights = Rights(call.world, call.user, tracker)
    page, size = call.query["page"], call.query["pageSize"]
    found = [
        item
        for item in call.world.items.values()
        if item.tracker == tracker.id and not item.trashed and rights.may_view(item)
    ]
    if call.world.assumptions["list_newest_first"]:
        found.reverse()
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
    "getTrackerTypes": _get_types,
    "getTrackerType": _get_type,
    "getTrackerItemTransitions": _get_transitions_of_item,
}
