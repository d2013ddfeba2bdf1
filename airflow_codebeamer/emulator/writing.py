"""Writing: how an item comes to be, changes, moves, and goes.

Every function checks everything before it changes anything, so that a refusal
leaves no trace.
"""

from __future__ import annotations

from typing import Any

from airflow_codebeamer.emulator.access import CLOSE, Rights
from airflow_codebeamer.emulator.call import Call
from airflow_codebeamer.emulator.field_access import check_mandatory, permitted
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.shown import item_reference
from airflow_codebeamer.emulator.tables import complete, row_changes
from airflow_codebeamer.emulator.values import NAME, PARENT, STATUS, to_value
from airflow_codebeamer.emulator.world import Item, Tracker, World

__all__ = [
    "change",
    "check_unlocked",
    "create",
    "is_below",
    "move",
    "next_version",
    "trash",
]


def check_unlocked(call: Call, item: Item) -> None:
    """Refuse when somebody else holds the item's lock.

    Raises:
        RefusedError: Tracker item is locked (423, before 22.04 as assumed).
    """
    held = call.world.locks.get(item.id)
    if held is None or held.user == call.user.id:
        return
    if held.until is not None and held.until <= call.seconds:
        del call.world.locks[item.id]
        return
    status = 423 if call.knows_locked else call.world.assumptions["locked_before_22_04"]
    if status != 200:
        raise RefusedError(status, "Tracker item is locked.")


def create(
    call: Call, tracker: Tracker, values: dict[int, Any], parent: int | None, index: int
) -> Item:
    """Make an item with checked values at a place among its siblings.

    Raises:
        RefusedError: The summary is missing, or the status may not be the first (400).
    """
    world = call.world
    values = tracker.defaults | permitted(call, tracker, values, {})
    if values.get(NAME) is None:
        raise RefusedError(400, "Field Summary is mandatory.")
    first = tracker.statuses[0] if tracker.statuses else None
    if first is not None and values.get(STATUS) is None:
        values[STATUS] = [_status_option(tracker, first["id"])]
    if values.get(STATUS) and not world.assumptions["create_in_any_status"]:
        _check_step(tracker, None, values[STATUS][0], "a new item")
    if values.get(STATUS):
        _check_close(call, tracker, None, None, values[STATUS][0])
    check_mandatory(tracker, values, (STATUS,))
    item = Item(
        id=world.next_id("item", 10001),
        tracker=tracker.id,
        parent=parent,
        values=_tidy(_complete(world, tracker, values, {})),
        created_at=call.now,
        created_by=call.user.id,
        modified_by=call.user.id,
    )
    item.modified_at = item.created_at
    item.history.append(_version(item, []))
    world.items[item.id] = item
    world.siblings(tracker, parent).insert(index, item.id)
    return item


def change(call: Call, item: Item, new: dict[int, Any]) -> None:
    """Give an item new values; fields that are not named stay as they are.

    Raises:
        RefusedError: The summary would be empty, or the status step is not allowed.
    """
    world = call.world
    tracker = world.trackers[item.tracker]
    new = permitted(call, tracker, new, item.values)
    label = f"[{tracker.key}-{item.id}] - {item.name}"
    if NAME in new and new[NAME] is None:
        raise RefusedError(400, "Field Summary is mandatory.")
    if STATUS in new:
        before = (item.values.get(STATUS) or [None])[0]
        after = (new[STATUS] or [None])[0]
        _check_step(tracker, before, after, label)
        _check_close(call, tracker, item, before, after)
    check_mandatory(tracker, item.values | new, new)
    new = _complete(world, tracker, new, item.values)
    changes: list[dict[str, Any]] = []
    for number, kept in new.items():
        if item.values.get(number) != kept:
            changes += _changes_of(
                world, tracker, number, item.values.get(number), kept
            )
    if not changes and not world.assumptions["same_value_makes_version"]:
        return
    item.values = _tidy({**item.values, **new})
    next_version(call, item, changes)


def move(call: Call, item: Item, parent: int | None, index: int) -> None:
    """Put an item at a place below a parent, or at the top of its tracker.

    Raises:
        RefusedError: The parent is in another tracker, or below the item (400).
    """
    world = call.world
    tracker = world.trackers[item.tracker]
    if parent is not None:
        if world.items[parent].tracker != item.tracker:
            raise RefusedError(400, "Parent cannot be an item of another tracker.")
        if is_below(world, parent, item.id):
            raise RefusedError(400, "An item cannot be below itself.")
    before = item.parent
    world.siblings(tracker, before).remove(item.id)
    world.siblings(tracker, parent).insert(index, item.id)
    item.parent = parent
    if before != parent and world.assumptions["move_makes_version"]:
        ends = _referring(world, before), _referring(world, parent)
        changes = _changes_of(world, tracker, PARENT, *ends)
        next_version(call, item, changes)


def trash(call: Call, item: Item) -> None:
    """Put an item, and by default everything below it, into the trash."""
    world = call.world
    siblings = world.siblings(world.trackers[item.tracker], item.parent)
    at = siblings.index(item.id)
    siblings.remove(item.id)
    item.trashed = True
    if not world.assumptions["trash_takes_subtree"]:
        for child in item.children:
            world.items[child].parent = item.parent
        siblings[at:at] = item.children
        item.children = []
        return
    below = list(item.children)
    while below:
        lower = world.items[below.pop()]
        lower.trashed = True
        below += lower.children


def is_below(world: World, item_id: int, above: int) -> bool:
    """Tell whether an item is another one, or somewhere below it."""
    at: int | None = item_id
    while at is not None:
        if at == above:
            return True
        at = world.items[at].parent
    return False


def _tidy(values: dict[int, Any]) -> dict[int, Any]:
    return {
        number: values[number]
        for number in sorted(values)
        if values[number] is not None
    }


def next_version(call: Call, item: Item, changes: list[dict[str, Any]]) -> None:
    """Raise the version of an item and write down what changed."""
    item.version += 1
    item.modified_at = call.now
    item.modified_by = call.user.id
    item.history.append(_version(item, changes))


def _version(item: Item, changes: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "version": item.version,
        "at": item.modified_at,
        "by": item.modified_by,
        "changes": changes,
        "values": item.values,
    }


def _complete(
    world: World, tracker: Tracker, values: dict[int, Any], before: dict[int, Any]
) -> dict[int, Any]:
    """Return values in which every row of a table has what the server adds."""
    return {
        number: complete(world, tracker.by_id[number], kept, before.get(number))
        if tracker.by_id[number]["type"] == "TableField"
        else kept
        for number, kept in values.items()
    }


def _changes_of(
    world: World, tracker: Tracker, number: int, old: Any, new: Any
) -> list[dict[str, Any]]:
    """Return what changed in a field; in a table, one change for each row."""
    known = tracker.by_id[number]
    if known["type"] != "TableField":
        return [_change_of(world, tracker, known, old, new)]
    return [
        {
            **_change_of(world, tracker, known, row and [row], changed and [changed]),
            "type": "TrackerItemRowChange",
            "rowNumber": at,
        }
        for at, row, changed in row_changes(old, new)
    ]


def _change_of(
    world: World, tracker: Tracker, known: dict[str, Any], old: Any, new: Any
) -> dict[str, Any]:
    change_made = {
        "field": {
            "id": known["id"],
            "name": known["name"],
            "type": "FieldReference",
            "trackerId": tracker.id,
        },
        "name": known["name"],
        "type": "TrackerItemChange",
    }
    if old is not None:
        change_made["oldValue"] = to_value(world, known, old)
    if new is not None:
        change_made["newValue"] = to_value(world, known, new)
    return change_made


def _referring(world: World, item_id: int | None) -> list[dict[str, Any]] | None:
    return None if item_id is None else [item_reference(world.items[item_id])]


def _status_option(tracker: Tracker, number: int) -> dict[str, Any]:
    options: list[dict[str, Any]] = tracker.by_id[STATUS]["options"]
    return dict(next(option for option in options if option["id"] == number))


def _check_step(
    tracker: Tracker,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
    label: str,
) -> None:
    """Refuse a status step that the tracker does not define; staying is none."""
    start = before["id"] if before else 0
    end = after["id"] if after else 0
    if start == end or [start, end] in tracker.transitions:
        return
    shown = [status["name"] if status else "--" for status in (before, after)]
    raise RefusedError(
        400,
        f"State transition from {shown[0]} to {shown[1]} is not defined for {label}",
    )


def _check_close(
    call: Call,
    tracker: Tracker,
    item: Item | None,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> None:
    closed = {status["id"] for status in tracker.statuses if status["closed"]}
    if after and after["id"] in closed and (not before or before["id"] not in closed):
        rights = Rights(call.world, call.user, tracker, item)
        rights.require(CLOSE, "close this tracker item")
