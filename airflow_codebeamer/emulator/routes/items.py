"""Items: create, read, replace, change, change many, delete, history."""

from __future__ import annotations

from typing import Any

from airflow_codebeamer.emulator.access import (
    ADD,
    DELETE,
    HISTORY_VIEW,
    MASS_EDIT,
    Rights,
    roles_of,
)
from airflow_codebeamer.emulator.baselines import as_of
from airflow_codebeamer.emulator.call import Call, Route
from airflow_codebeamer.emulator.field_access import hidden_fields, level_of
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.shown import show_item, user_reference
from airflow_codebeamer.emulator.values import (
    IGNORED,
    STATUS,
    from_property,
    from_value,
    to_value,
)
from airflow_codebeamer.emulator.world import Item, Tracker
from airflow_codebeamer.emulator.writing import (
    change,
    check_unlocked,
    create,
    is_below,
    move,
    trash,
)

__all__ = ["ITEMS"]

_GROUPS = (
    "editableFields",
    "editableTableFields",
    "readOnlyFields",
    "readOnlyTableFields",
)
_LOOKED_AFTER_BY_THE_SERVER = frozenset((0, 1, 4, 6, 74, 75, 76))


def _seen(call: Call) -> tuple[Item, Tracker, Rights]:
    item = call.world.live_item(call.path["itemId"])
    tracker = call.world.trackers[item.tracker]
    rights = Rights(call.world, call.user, tracker, item)
    rights.require_view(item)
    return item, tracker, rights


def _show(call: Call, item: Item, **how: Any) -> dict[str, Any]:
    """Show an item as the user may see it."""
    return show_item(call.world, item, hide=hidden_fields(call, item), **how)


def _editable(call: Call) -> tuple[Item, Tracker]:
    item, tracker, rights = _seen(call)
    rights.require_edit(item)
    check_unlocked(call, item)
    return item, tracker


def _values_of(call: Call, tracker: Tracker, body: dict[str, Any]) -> dict[int, Any]:
    """Read the settable properties and the custom fields of a whole item."""
    values: dict[int, Any] = {}
    for name, given in body.items():
        if name not in IGNORED:
            kept = from_property(call.world, tracker, name, given)
            if kept is not None:
                values[kept[0]] = kept[1]
    for entry in body.get("customFields") or ():
        number, custom = from_value(call.world, tracker, entry, custom_only=True)
        values[number] = custom
    return values


def _position(
    call: Call, tracker: Tracker, parent: int | None, moving: Item | None = None
) -> tuple[int | None, int]:
    """Work out the parent and the index that a request asks for."""
    world = call.world
    reference, position = call.query.get("referenceItemId"), call.query.get("position")
    if (reference is None) != (position is None):
        raise RefusedError(400, "referenceItemId and position go together.")
    if reference is not None:
        beside = world.live_item(reference)
        if beside.tracker != tracker.id:
            raise RefusedError(400, "The reference item belongs to another tracker.")
        above = beside.id if position == "BELOW" else beside.parent
        if parent not in (None, above):
            raise RefusedError(400, "The reference item is not below the given parent.")
        parent = above
    siblings = list(world.siblings(tracker, parent))
    if moving is not None and moving.id in siblings:
        siblings.remove(moving.id)
    if position in ("BEFORE", "AFTER") and reference in siblings:
        return parent, siblings.index(reference) + (position == "AFTER")
    return parent, len(siblings)


def _create(call: Call) -> Any:
    world = call.world
    tracker = world.tracker(call.path["trackerId"])
    rights = Rights(world, call.user, tracker)
    if not rights.has(ADD):
        rights.require_tracker()
    rights.require(ADD, "add tracker items")
    parent = call.query.get("parentItemId")
    if parent is not None and world.live_item(parent).tracker != tracker.id:
        raise RefusedError(400, "Parent cannot be an item of another tracker.")
    parent, index = _position(call, tracker, parent)
    if parent is not None:
        rights.require_view(world.items[parent])
    item = create(call, tracker, _values_of(call, tracker, call.body), parent, index)
    return _show(call, item, ordinal=index)


def _get(call: Call) -> Any:
    wanted, baseline = call.query.get("version"), call.query.get("baselineId")
    if wanted is not None and baseline is not None:
        raise RefusedError(400, "Ask for a version or for a baseline.")
    call = as_of(call, baseline)
    item, _, _ = _seen(call)
    if wanted is None:
        return _show(call, item)
    for revision in item.history:
        if revision["version"] == wanted:
            return _show(call, item, revision=revision)
    raise RefusedError(404, f"Tracker item has no version {wanted}.")


def _put(call: Call) -> Any:
    item, tracker = _editable(call)
    if call.body.get("id") not in (None, item.id):
        raise RefusedError(400, "The id of the item is not the id of the path.")
    stale = call.body.get("version") not in (None, item.version)
    if stale and call.world.assumptions["stale_version_refused"]:
        raise RefusedError(400, "The item has been changed since it was read.")
    given = _values_of(call, tracker, call.body)
    settable = [at for at in tracker.by_id if at not in _LOOKED_AFTER_BY_THE_SERVER]
    values = {number: given.get(number) for number in settable}
    place = _new_place(call, tracker, item)
    if not tracker.statuses:
        values.pop(STATUS, None)
    change(call, item, values)
    if place is not None:
        move(call, item, *place)
    return _show(call, item)


def _new_place(
    call: Call, tracker: Tracker, item: Item
) -> tuple[int | None, int] | None:
    """Return where a whole-item update moves the item, None for nowhere."""
    parent = (call.body.get("parent") or {}).get("id", item.parent)
    if parent == item.parent and not {"referenceItemId", "position"} & set(call.query):
        return None
    if parent is not None and call.world.live_item(parent).tracker != tracker.id:
        raise RefusedError(400, "Parent cannot be an item of another tracker.")
    asked = None if "referenceItemId" in call.query else parent
    above, index = _position(call, tracker, asked, item)
    if above is not None and is_below(call.world, above, item.id):
        raise RefusedError(400, "An item cannot be below itself.")
    return above, index


def _delete(call: Call) -> Any:
    item, _, rights = _seen(call)
    rights.require(DELETE, "delete tracker items")
    check_unlocked(call, item)
    shown = _show(call, item)
    trash(call, item)
    return shown


def _get_fields(call: Call) -> Any:
    item, tracker, rights = _seen(call)
    shown: dict[str, list[Any]] = {name: [] for name in _GROUPS}
    may_edit = rights.may_edit(item)
    roles = [role.id for role in roles_of(call.world, call.user, tracker.project)]
    status = (item.values.get(STATUS) or [{"id": 0}])[0]["id"]
    for number, kept in item.values.items():
        known = tracker.by_id[number]
        level = "WRITE"
        if not call.user.system_admin:
            level = level_of(tracker, roles, number, status)
        if level == "NONE":
            continue
        group = "editable" if may_edit and level == "WRITE" else "readOnly"
        group += "TableFields" if known["type"] == "TableField" else "Fields"
        shown[group].append(to_value(call.world, known, kept))
    return shown


def _new_values(call: Call, tracker: Tracker, body: dict[str, Any]) -> dict[int, Any]:
    entries = [*(body.get("fieldValues") or ()), *(body.get("tableValues") or ())]
    return dict(from_value(call.world, tracker, entry) for entry in entries)


def _put_table(call: Call) -> Any:
    item, tracker = _editable(call)
    number = call.path["tableFieldId"]
    known = tracker.by_id.get(number)
    if known is None or known["type"] != "TableField":
        raise RefusedError(404, "Table field is not found.")
    rows = {
        "fieldId": number,
        "type": "TableFieldValue",
        "values": call.body.get("rows"),
    }
    change(call, item, dict([from_value(call.world, tracker, rows)]))
    return _show(call, item)


def _put_fields(call: Call) -> Any:
    item, tracker = _editable(call)
    change(call, item, _new_values(call, tracker, call.body))
    return _show(call, item)


def _update_one(call: Call, entry: dict[str, Any]) -> None:
    world = call.world
    item = world.live_item(entry["itemId"])
    tracker = world.trackers[item.tracker]
    rights = Rights(world, call.user, tracker, item)
    if not rights.may_view(item):
        raise RefusedError(404, "Tracker item is not found.")
    rights.require_edit(item)
    if world.assumptions["bulk_needs_mass_edit"]:
        rights.require(MASS_EDIT, "edit several tracker items at once")
    if world.assumptions["item_lock_stops_bulk"]:
        check_unlocked(call, item)
    change(call, item, _new_values(call, tracker, entry))


def _put_many(call: Call) -> Any:
    world = call.world
    atomic = call.query["atomic"]
    before = {}
    failed = []
    done = 0
    for entry in call.body:
        item = world.items.get(entry["itemId"])
        if atomic and item is not None and item.id not in before:
            before[item.id] = (vars(item).copy(), list(item.history))
        try:
            _update_one(call, entry)
        except RefusedError as refusal:
            failed.append({"id": entry["itemId"], "exceptionMessage": refusal.message})
        else:
            done += 1
    if failed and atomic:
        for item_id, (kept, history) in before.items():
            vars(world.items[item_id]).update(kept, history=history)
        raise RefusedError(
            400,
            "At least one update failed",
            # Without a slash in front, as the documented answer has it.
            {"resourceUri": "items/fields", "failedOperations": failed},
        )
    answer: dict[str, Any] = {"successfulOperationsCount": done}
    if failed:
        answer["failedOperations"] = failed
    return answer


def _get_history(call: Call) -> Any:
    item, _, rights = _seen(call)
    rights.require(HISTORY_VIEW, "view the history of tracker items")
    hide = hidden_fields(call, item)
    return {
        "versions": [
            {
                "itemRevision": {"id": item.id, "version": revision["version"]},
                "modifiedAt": revision["at"],
                "modifiedBy": user_reference(call.world, revision["by"]),
                "changes": [
                    change_made
                    for change_made in revision["changes"]
                    if change_made["field"]["id"] not in hide
                ],
            }
            for revision in item.history
        ]
    }


ITEMS: dict[str, Route] = {
    "createTrackerItem": _create,
    "getTrackerItem": _get,
    "updateTrackerItem": _put,
    "deleteTrackerItem": _delete,
    "getTrackerItemFields": _get_fields,
    "updateCustomFieldTrackerItem": _put_fields,
    "updateTableFieldTrackerItem": _put_table,
    "bulkUpdateTrackerItemFields": _put_many,
    "getTrackerItemHistory": _get_history,
}
