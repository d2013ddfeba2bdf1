"""Relations: what an item refers to, what refers to it, and its associations."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

from airflow_codebeamer.emulator.access import Rights
from airflow_codebeamer.emulator.baselines import as_of
from airflow_codebeamer.emulator.call import Call, Route
from airflow_codebeamer.emulator.routes.associations import ASSOCIATION_VIEW, rights_on
from airflow_codebeamer.emulator.shown import page_of
from airflow_codebeamer.emulator.world import Item

__all__ = ["RELATIONS"]

_LISTS = {
    "downstreamReferences": "DownstreamTrackerItemReference",
    "upstreamReferences": "UpstreamTrackerItemReference",
    "incomingAssociations": "IncomingTrackerItemAssociation",
    "outgoingAssociations": "OutgoingTrackerItemAssociation",
}


def _referred(item: Item) -> Iterator[tuple[int, int]]:
    """Yield each field and item that an item refers to; its parent is none of them."""
    for number, kept in item.values.items():
        for entry in kept if isinstance(kept, list) else ():
            if isinstance(entry, dict) and entry["type"] == "TrackerItemReference":
                yield number, entry["id"]


def _number(start: int, field: int, end: int) -> int:
    """Return a number for a reference that no counter ever gave one."""
    return zlib.crc32(f"{start} {field} {end}".encode()) & 0x7FFFFFFF


def _relations(call: Call, item: Item) -> Iterator[tuple[str, int, int]]:
    """Yield the list, the number and the other item of every relation."""
    for other in call.world.items.values():
        for field, end in _referred(other):
            if end == item.id:
                number = _number(other.id, field, end)
                yield "downstreamReferences", number, other.id
    for field, end in _referred(item):
        yield "upstreamReferences", _number(item.id, field, end), end
    if not rights_on(call, item).has(ASSOCIATION_VIEW):
        return
    known = call.world.associations.values()
    for link in known:
        if link.end == item.id:
            yield "incomingAssociations", link.id, link.start
    for link in known:
        if link.start == item.id and link.end is not None:
            yield "outgoingAssociations", link.id, link.end


def _seen(call: Call, item: Item) -> list[tuple[str, int, Item]]:
    """Return the relations whose other end the user may see."""
    rights: dict[int, Rights] = {}
    found = []
    for name, number, other_id in _relations(call, item):
        other = call.world.items.get(other_id)
        if other is None or other.trashed:
            continue
        if other.tracker not in rights:
            tracker = call.world.trackers[other.tracker]
            rights[other.tracker] = Rights(call.world, call.user, tracker)
        if rights[other.tracker].may_view(other):
            found.append((name, number, other))
    return found


def _shown(item: Item, found: list[tuple[str, int, Item]]) -> dict[str, Any]:
    shown: dict[str, Any] = {"itemId": {"id": item.id, "version": item.version}}
    shown |= {name: [] for name in _LISTS}
    for name, number, other in found:
        revision = {"id": other.id, "version": other.version}
        one = {"id": number, "itemRevision": revision, "type": _LISTS[name]}
        shown[name].append(one)
    return shown


def _item(call: Call, item_id: int) -> Item:
    item = call.world.live_item(item_id)
    rights_on(call, item)
    return item


def _get(call: Call) -> Any:
    call = as_of(call, call.query.get("baselineId"))
    item = _item(call, call.path["itemId"])
    page, size = call.query["page"], call.query["pageSize"]
    found = _seen(call, item)
    on_page = page_of(found, page, size)
    return {
        **_shown(item, on_page),
        "page": page,
        "pageSize": size,
        "itemCount": len(on_page),
        "isLastPage": page * size >= len(found),
    }


def _get_of_many(call: Call) -> Any:
    call = as_of(call, call.query.get("baselineId"))
    items = [_item(call, wanted["id"]) for wanted in call.body.get("items") or ()]
    return [_shown(item, _seen(call, item)) for item in items]


RELATIONS: dict[str, Route] = {
    "getBaselineTrackerItemRelations": _get,
    "getBaselineTrackerItemsRelations": _get_of_many,
}
