"""The whole outline of a tracker, or a part of it, level by level."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_codebeamer.emulator.access import Rights
from airflow_codebeamer.emulator.call import Call, Route
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.shown import item_reference
from airflow_codebeamer.emulator.world import Item, Tracker

__all__ = ["OUTLINE"]


def _seen(
    call: Call, tracker: Tracker, rights: Rights, parent: int | None
) -> list[Item]:
    items = [call.world.items[at] for at in call.world.siblings(tracker, parent)]
    return [item for item in items if rights.may_view(item)]


def _path_of(call: Call, item: Item) -> tuple[int, ...]:
    """Return the places of an item and all above it, counted from 1."""
    tracker = call.world.trackers[item.tracker]
    place = call.world.siblings(tracker, item.parent).index(item.id) + 1
    if item.parent is None:
        return (place,)
    return (*_path_of(call, call.world.items[item.parent]), place)


def _below(
    call: Call,
    tracker: Tracker,
    rights: Rights,
    parent: int | None,
    path: tuple[int, ...],
    depth: int | None,
) -> Iterator[dict[str, Any]]:
    """Yield what is below a parent, depth first, down to a depth."""
    places = call.world.siblings(tracker, parent)
    for item in _seen(call, tracker, rights, parent):
        here = (*path, places.index(item.id) + 1)
        yield {
            "type": "OutlineItem",
            "outlineIndexes": [
                {"level": level, "index": index} for level, index in enumerate(here)
            ],
            "hasChildren": bool(_seen(call, tracker, rights, item.id)),
            "itemReference": item_reference(item),
        }
        if depth is None or depth > 1:
            deeper = None if depth is None else depth - 1
            yield from _below(call, tracker, rights, item.id, here, deeper)


def _get(call: Call) -> Any:
    tracker = call.world.tracker(call.path["trackerId"])
    rights = Rights(call.world, call.user, tracker)
    rights.require_tracker()
    parent, depth = call.query.get("parentItemId"), call.query.get("resultDepthFilter")
    if depth is not None and depth < 1:
        raise RefusedError(400, "resultDepthFilter starts at 1.")
    path: tuple[int, ...] = ()
    if parent is not None:
        item = call.world.live_item(parent)
        rights.require_view(item)
        if item.tracker != tracker.id:
            raise RefusedError(400, "The parent item belongs to another tracker.")
        path = _path_of(call, item)
    found = list(_below(call, tracker, rights, parent, path, depth))
    return {
        "page": 1,
        "pageSize": len(found),
        "total": len(found),
        "outlineItems": found,
    }


OUTLINE: dict[str, Route] = {"getTrackerOutline": _get}
