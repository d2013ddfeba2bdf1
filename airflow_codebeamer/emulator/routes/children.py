"""The outline: what is below an item or at the top of a tracker, in order."""

from __future__ import annotations

from typing import Any

from airflow_codebeamer.emulator.access import Rights
from airflow_codebeamer.emulator.call import Call, Route
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.shown import item_reference, page_of
from airflow_codebeamer.emulator.world import Item, Tracker
from airflow_codebeamer.emulator.writing import check_unlocked, is_below, move

__all__ = ["CHILDREN"]


def _place(call: Call) -> tuple[Tracker, int | None, Rights]:
    """Return the tracker, the parent if it is an item, and the user's rights."""
    world = call.world
    if "itemId" in call.path:
        item = world.live_item(call.path["itemId"])
        tracker = world.trackers[item.tracker]
        rights = Rights(world, call.user, tracker, item)
        rights.require_view(item)
        return tracker, item.id, rights
    tracker = world.tracker(call.path["trackerId"])
    rights = Rights(world, call.user, tracker)
    rights.require_tracker()
    return tracker, None, rights


def _place_to_change(call: Call) -> tuple[Tracker, int | None, Rights]:
    tracker, parent, rights = _place(call)
    if parent is not None:
        item = call.world.items[parent]
        rights.require_edit(item)
        check_unlocked(call, item)
    return tracker, parent, rights


def _item_to_move(call: Call, tracker: Tracker, item_id: int) -> Item:
    item = call.world.live_item(item_id)
    owner = call.world.trackers[item.tracker]
    Rights(call.world, call.user, owner, item).require_edit(item)
    check_unlocked(call, item)
    if item.tracker != tracker.id:
        raise RefusedError(400, "Parent cannot be an item of another tracker.")
    return item


def _shown(call: Call, page: int, size: int) -> dict[str, Any]:
    tracker, parent, rights = _place(call)
    items = [call.world.items[at] for at in call.world.siblings(tracker, parent)]
    seen = [item for item in items if rights.may_view(item)]
    return {
        "page": page,
        "pageSize": size,
        "total": len(seen),
        "itemRefs": [item_reference(item) for item in page_of(seen, page, size)],
    }


def _get(call: Call) -> Any:
    return _shown(call, call.query["page"], call.query["pageSize"])


def _put(call: Call) -> Any:
    tracker, parent, _ = _place_to_change(call)
    siblings = call.world.siblings(tracker, parent)
    wanted = [entry["id"] for entry in call.body["children"] or ()]
    if sorted(wanted) != sorted(siblings):
        raise RefusedError(400, "The list does not hold exactly the present children.")
    for before, after in zip(siblings, wanted, strict=True):
        if before != after:
            _item_to_move(call, tracker, after)
    siblings[:] = wanted
    return _shown(call, 1, call.query["resultPageSize"])


def _answer(item: Item, index: int) -> dict[str, Any]:
    return {"itemReference": item_reference(item), "index": index}


def _post(call: Call) -> Any:
    tracker, parent, _ = _place_to_change(call)
    item = _item_to_move(call, tracker, call.body["id"])
    siblings = call.world.siblings(tracker, parent)
    end = len(siblings) - (1 if item.id in siblings else 0)
    move(call, item, parent, end)
    return _answer(item, end)


def _patch(call: Call) -> Any:
    tracker, parent, _ = _place_to_change(call)
    item = _item_to_move(call, tracker, call.body["itemReference"]["id"])
    mode, index = call.query["mode"], call.body["index"]
    siblings = call.world.siblings(tracker, parent)
    if mode == "REMOVE":
        _remove(call, item, parent, index)
        return _answer(item, index)
    if mode == "REPLACE":
        _replace(call, tracker, item, parent, index)
        return _answer(item, index)
    end = len(siblings) - (1 if item.id in siblings else 0)
    if not 0 <= index <= end:
        raise RefusedError(400, f"Index {index} is not between 0 and {end}.")
    move(call, item, parent, index)
    return _answer(item, index)


def _remove(call: Call, item: Item, parent: int | None, index: int) -> None:
    """Move a child one level up, next to its parent."""
    tracker = call.world.trackers[item.tracker]
    _require_at(call.world.siblings(tracker, parent), item.id, index)
    if parent is None:
        raise RefusedError(400, "An item at the top of a tracker has no level above.")
    above = call.world.items[parent].parent
    next_to = call.world.siblings(tracker, above).index(parent) + 1
    move(call, item, above, next_to)


def _replace(
    call: Call, tracker: Tracker, item: Item, parent: int | None, index: int
) -> None:
    """Put an item where another child was, which moves one level up."""
    siblings = call.world.siblings(tracker, parent)
    if not 0 <= index < len(siblings):
        raise RefusedError(400, f"There is no child at index {index}.")
    old = _item_to_move(call, tracker, siblings[index])
    if old.id == item.id:
        return
    if parent is not None and is_below(call.world, parent, item.id):
        raise RefusedError(400, "An item cannot be below itself.")
    _remove(call, old, parent, index)
    end = len(siblings) - (1 if item.id in siblings else 0)
    move(call, item, parent, min(index, end))


def _require_at(siblings: list[int], item_id: int, index: int) -> None:
    if not 0 <= index < len(siblings) or siblings[index] != item_id:
        raise RefusedError(
            400, f"Tracker item {item_id} is not the child at index {index}."
        )


CHILDREN: dict[str, Route] = {
    "findTrackerChildren": _get,
    "findTrackerItemChildren": _get,
    "replaceChildrenOfTracker": _put,
    "replaceChildrenOfTrackerItem": _put,
    "addChildToTracker": _post,
    "addChildToTrackerItem": _post,
    "patchChildrenOfTracker": _patch,
    "patchChildrenOfTrackerItem": _patch,
}
