"""Queries: full items by cbQL, one page at a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_codebeamer.emulator.access import VIEW_ANY, Rights
from airflow_codebeamer.emulator.baselines import as_of
from airflow_codebeamer.emulator.call import Call, Route
from airflow_codebeamer.emulator.cbql import Query, parse
from airflow_codebeamer.emulator.field_access import hidden_fields
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.shown import page_of, show_item
from airflow_codebeamer.emulator.world import Item, World

__all__ = ["QUERIES"]

_MOST = 500
_REMEMBERED = 64


def _find(call: Call, asked: dict[str, Any]) -> Any:
    call = as_of(call, asked.get("baselineId"), missing=400)
    page, size = (
        default if asked.get(name) is None else asked[name]
        for name, default in (("page", 1), ("pageSize", 25))
    )
    if page < 1 or not 1 <= size <= _MOST:
        raise RefusedError(400, f"page starts at 1 and pageSize is at most {_MOST}.")
    found = _matching(call, parse(asked["queryString"] or ""))
    items = page_of(found, page, size)
    places = _places(call.world, items)
    shown = [
        show_item(
            call.world,
            item,
            ordinal=places[item.id],
            hide=hidden_fields(call, item),
        )
        for item in items
    ]
    return {"page": page, "pageSize": size, "total": len(found), "items": shown}


def _matching(call: Call, query: Query) -> list[Item]:
    """Find, or find again: the next page of a query costs no second look."""
    known, key = call.world.found, (call.user.id, query.tree.query)
    found = known.get(key)
    if found is None:
        visible = _Visible(call)
        test = query.test(call.world, call.clock.now(), visible.items)
        found = query.sorted(call.world, [one for one in visible.items() if test(one)])
        if query.is_timeless and len(known) < _REMEMBERED:
            known[key] = found
    return found


class _Visible:
    """The items that a user may see, all that a query can find."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def items(self) -> Iterable[Item]:
        """Return every visible item."""
        world, user = self._call.world, self._call.user
        rights = {
            tracker.id: Rights(world, user, tracker)
            for tracker in world.trackers.values()
        }
        sees_all = {number for number, his in rights.items() if his.has(VIEW_ANY)}
        return [
            item
            for item in world.items.values()
            if not item.trashed
            and (item.tracker in sees_all or rights[item.tracker].may_view(item))
        ]


def _places(world: World, items: list[Item]) -> dict[int, int]:
    """Number the siblings of every item once, instead of counting for each."""
    places: dict[int, int] = {}
    for tracker, parent in {(item.tracker, item.parent) for item in items}:
        siblings = world.siblings(world.trackers[tracker], parent)
        places.update((number, at) for at, number in enumerate(siblings))
    return places


QUERIES: dict[str, Route] = {
    "findTrackerItems": lambda call: _find(call, call.query),
    "findTrackerItemsByCbQL": lambda call: _find(call, call.body),
}
