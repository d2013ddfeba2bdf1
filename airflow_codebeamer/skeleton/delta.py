"""What has changed since a snapshot, read without reading everything again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from math import ceil

from airflow_codebeamer.client import LONGEST_PAGE, Client
from airflow_codebeamer.ids import ItemId
from airflow_codebeamer.skeleton.look import read_again, read_items
from airflow_codebeamer.skeleton.plan import Plan
from airflow_codebeamer.skeleton.snapshot import Found, Snapshot, read_found, rebuilt
from airflow_codebeamer.skeleton.steps import Spot

__all__ = ["read_written", "refresh"]

#: Up to so many items at the top of a tracker its list of children is read.
_SHORT_TOP = LONGEST_PAGE


def refresh(client: Client, snapshot: Snapshot) -> Snapshot:
    """Return the snapshot as it is now, the same one if nothing has changed.

    The items that were changed last come first: usually one request tells that
    there are none but those that are known. If items came, went, or got another
    parent, everything is read again.

    Not promised: another order of siblings that gave no item a new version.
    """
    if len(snapshot.queries) != 1:
        return read_again(client, snapshot)
    changed: dict[ItemId, Found] = {}
    number = 1
    while True:
        page = client.items.query_latest(snapshot.queries[0], number)
        fresh = [
            read_found(item.model_dump(by_alias=True), snapshot.wishes)
            for item in page.entries
        ]
        news = [one for one in fresh if _is_news(one, snapshot)]
        changed.update((one.item_id, one) for one in news)
        if page.total != len(snapshot.items) or _is_structural(news, snapshot):
            return read_again(client, snapshot)
        if not fresh or len(news) < len(fresh):
            break
        number += 1
    if not changed:
        return snapshot
    return rebuilt(snapshot, {**snapshot.items, **changed}, snapshot.children)


def read_written(client: Client, plan: Plan, created: Mapping[str, ItemId]) -> Snapshot:
    """Return the tracker after a plan was applied: only what it touched is read.

    Where that would cost more, or does not fit together, everything is read.
    """
    snapshot = plan.snapshot
    touched = _touched(plan, created)
    total = len(snapshot.items) + len(plan.creates)
    if _pages(len(touched)) + 1 >= _pages(total) or not plan.is_skeleton:
        return read_again(client, snapshot)
    fresh = {one.item_id: one for one in read_items(client, snapshot, sorted(touched))}
    children = dict(snapshot.children)
    for item_id, one in fresh.items():
        children[item_id] = one.below
    top = _top(client, plan, created, fresh)
    if top is None or any(item_id not in fresh for item_id in touched):
        return read_again(client, snapshot)
    children[None] = top
    return rebuilt(snapshot, {**snapshot.items, **fresh}, children)


def _is_news(one: Found, snapshot: Snapshot) -> bool:
    known = snapshot.items.get(one.item_id)
    return (
        known is None
        or known.version != one.version
        or known.modified_at != one.modified_at
    )


def _is_structural(news: Iterable[Found], snapshot: Snapshot) -> bool:
    return any(
        one.item_id not in snapshot.items
        or snapshot.items[one.item_id].parent != one.parent
        or snapshot.items[one.item_id].key != one.key
        for one in news
    )


def _pages(count: int) -> int:
    return ceil(count / LONGEST_PAGE)


def _touched(plan: Plan, created: Mapping[str, ItemId]) -> set[ItemId]:
    """Return what was written, and what stands right above it."""
    spots: set[Spot | None] = {create.key for create in plan.creates}
    spots |= {create.parent for create in plan.creates}
    spots |= {update.item_id for update in plan.updates}
    for move in plan.moves:
        spots |= {move.item_id, move.source, move.target}
    for step in plan.reorders:
        spots |= {step.parent}
    return {_number(spot, created) for spot in spots if spot is not None}


def _number(spot: Spot, created: Mapping[str, ItemId]) -> ItemId:
    return created[spot] if isinstance(spot, str) else spot


def _top(
    client: Client,
    plan: Plan,
    created: Mapping[str, ItemId],
    fresh: dict[ItemId, Found],
) -> tuple[ItemId, ...] | None:
    """Return the items at the top in order, None if it does not fit together.

    A short top is listed. Of a long one, the neighbours of what was put there are
    read too, and their places compared with what the plan should have made.
    """
    before = plan.snapshot.children.get(None, ())
    moved = {create.key for create in plan.creates if create.parent is None}
    movers: set[Spot] = {*moved}
    movers |= {
        move.item_id for move in plan.moves if None in (move.source, move.target)
    }
    is_sorted = any(step.parent is None for step in plan.reorders)
    if not movers and not is_sorted:
        return before
    if len(before) + len(moved) <= _SHORT_TOP or is_sorted:
        listed = client.trackers.list_children(plan.snapshot.tracker_id)
        return tuple(ItemId(child.id) for child in listed)
    expected = [_number(spot, created) for spot in plan.top_after]
    places = {item_id: at for at, item_id in enumerate(expected)}
    inside = {_number(spot, created) for spot in movers}
    window = {
        expected[at]
        for item_id in inside & set(places)
        for at in range(
            max(0, places[item_id] - 1), min(len(expected), places[item_id] + 2)
        )
    }
    missing = sorted(window - set(fresh))
    near = {one.item_id: one for one in read_items(client, plan.snapshot, missing)}
    known = {**near, **fresh}
    if not window <= set(known) or not _in_order(window, places, known):
        return None
    return tuple(expected)


def _in_order(
    window: Collection[ItemId],
    places: Mapping[ItemId, int],
    known: Mapping[ItemId, Found],
) -> bool:
    """Whether neighbours stand in the order that they should."""
    ranks = [
        known[item_id].ordinal for item_id in sorted(window, key=places.__getitem__)
    ]
    return ranks == sorted(set(ranks)) and all(
        known[one].parent is None for one in window
    )
