"""Items that stood there before the document, found by their path and taken over."""

from __future__ import annotations

from dataclasses import replace

from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.ids import ItemId
from airflow_codebeamer.skeleton.document import Document
from airflow_codebeamer.skeleton.snapshot import Found, Snapshot, rebuilt
from airflow_codebeamer.skeleton.steps import Change, Update
from airflow_codebeamer.skeleton.wishes import Wish

__all__ = ["adopted", "with_key"]


def adopted(document: Document, snapshot: Snapshot) -> Snapshot:
    """Return the snapshot in which items without a key carry the one they shall get.

    An item is adopted when its name is the wanted one, it stands below the item that
    stands above the wanted one (at the top, or the document's root), and it carries
    no key. What its fields hold is somebody's edit like any other.

    Raises:
        DocumentError: several items, or several of the document's, are of one path.
    """
    if document.identity.adopt != "by_path":
        return snapshot
    taken: dict[ItemId, Found] = {}
    places: dict[ItemId, str] = {}
    numbers = {key: found.item_id for key, found in snapshot.keyed.items()}
    for wish in snapshot.wishes.wishes:
        parent = snapshot.root if wish.parent is None else numbers.get(wish.parent)
        if wish.key in numbers or (wish.parent is not None and parent is None):
            continue
        found = _by_name(wish, parent, snapshot)
        if found is None:
            continue
        if found.item_id in taken:
            raise DocumentError(
                wish.place,
                f"item {found.item_id} ({wish.name!r}) would be adopted here and at "
                f"{places[found.item_id]}; give one of the two its key by hand",
            )
        taken[found.item_id] = replace(found, key=wish.key)
        places[found.item_id] = wish.place
        numbers[wish.key] = found.item_id
    if not taken:
        return snapshot
    items = {**snapshot.items, **taken}
    again = rebuilt(snapshot, items, snapshot.children)
    return replace(again, adopted=snapshot.adopted | frozenset(taken))


def with_key(updates: list[Update], snapshot: Snapshot) -> list[Update]:
    """Return the updates with one for each adopted item: its key comes first."""
    if not snapshot.adopted:
        return updates
    keeper = snapshot.wishes.keeper.field_id
    by_item = {update.item_id: update for update in updates}
    for item_id in sorted(snapshot.adopted):
        found = snapshot.items[item_id]
        if str(found.values[keeper] or "").strip() == found.key:
            # It was written meanwhile.
            continue
        change = Change(keeper, found.values[keeper], found.key)
        update = by_item.get(item_id) or Update(item_id, found.key, ())
        by_item[item_id] = replace(update, changes=(change, *update.changes))
    places = {wish.key: place for place, wish in enumerate(snapshot.wishes.wishes)}
    return sorted(by_item.values(), key=lambda update: places[update.key])


def _by_name(wish: Wish, parent: ItemId | None, snapshot: Snapshot) -> Found | None:
    """Return the one item of that name below a parent that carries no key."""
    there = [snapshot.items[one] for one in snapshot.children.get(parent, ())]
    fitting = [one for one in there if not one.key and one.name == wish.name]
    if len(fitting) > 1:
        numbers = ", ".join(str(one.item_id) for one in fitting)
        raise DocumentError(
            wish.place,
            f"{len(fitting)} items of the name {wish.name!r} stand where it should be "
            f"(items {numbers}), so none can be adopted; give one of them its key by "
            "hand, or rename the others",
        )
    return fitting[0] if fitting else None
