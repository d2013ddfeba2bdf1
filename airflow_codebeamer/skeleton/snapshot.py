"""Snapshot: what stands in the tracker, in the words of the document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.ids import FieldId, ItemId, TrackerId
from airflow_codebeamer.models import Item
from airflow_codebeamer.skeleton.document import Skeleton
from airflow_codebeamer.skeleton.fields import Value
from airflow_codebeamer.skeleton.resolve import WishList

__all__ = ["Found", "Snapshot", "freeze"]


@dataclass(frozen=True)
class Found:
    """An item as it was read. One without `key` is foreign and never touched."""

    item_id: ItemId
    key: str
    name: str
    parent: ItemId | None
    version: int
    created_by: str
    modified_by: str
    values: Mapping[FieldId, Value]


@dataclass(frozen=True)
class Snapshot:
    """A tracker at one moment, and the document's wishes in its words.

    `children` lists siblings in their order, foreign ones too, under their
    parent's number (None: the top). `keyed` finds items by their key; of
    several with the same key it has the oldest, `copies` has the others.
    `account` is who we are: an item that somebody else changed last may carry
    an edit that is not ours.
    """

    tracker_id: TrackerId
    account: str
    wishes: WishList
    items: Mapping[ItemId, Found]
    children: Mapping[ItemId | None, tuple[ItemId, ...]]
    keyed: Mapping[str, Found]
    copies: Mapping[str, tuple[Found, ...]]

    def is_foreign(self, found: Found) -> bool:
        """Whether somebody else changed the item last; log-ins have no case."""
        return found.modified_by.casefold() != self.account.casefold()


def freeze(
    tracker_id: TrackerId, account: str, wishes: WishList, items: Iterable[Item]
) -> Snapshot:
    """Make a snapshot of items as the server sent them."""
    read = list(items)
    found = {item.id: _found(item, wishes) for item in read}
    keyed: dict[str, Found] = {}
    copies: dict[str, tuple[Found, ...]] = {}
    for item_id in sorted(found):
        one = found[item_id]
        if not one.key:
            continue
        if one.key in keyed:
            copies[one.key] = (*copies.get(one.key, ()), one)
        else:
            keyed[one.key] = one
    return Snapshot(tracker_id, account, wishes, found, order_of(read), keyed, copies)


def order_of(items: Iterable[Item]) -> dict[ItemId | None, tuple[ItemId, ...]]:
    """Return the children of each parent in the tracker's order."""
    place: dict[int, int] = {}
    groups: dict[ItemId | None, list[Item]] = {}
    for item in items:
        place.update({child.id: index for index, child in enumerate(item.children)})
        parent = None if item.parent is None else ItemId(item.parent.id)
        groups.setdefault(parent, []).append(item)

    def rank(item: Item) -> tuple[int, int, int]:
        # At the top no parent lists its children: the ordinal is all there is.
        listed = place.get(item.id, 0) if item.parent is not None else 0
        return listed, item.ordinal or 0, item.id

    return {
        parent: tuple(item.id for item in sorted(group, key=rank))
        for parent, group in groups.items()
    }


def check_copies(document: Skeleton, snapshot: Snapshot) -> None:
    """Refuse keys of the document that several items carry.

    Raises:
        DocumentError: names the items, unless the document says to take the first.
    """
    if document.identity.duplicates == "first":
        return
    for key, copies in snapshot.copies.items():
        if key not in snapshot.wishes.by_key:
            continue
        ids = [snapshot.keyed[key].item_id, *(copy.item_id for copy in copies)]
        raise DocumentError(
            "identity.duplicates",
            f"the key {key!r} stands in {len(ids)} items of the tracker"
            f" ({', '.join(map(str, ids))}); delete all but one, or write"
            " 'first' here to use the oldest",
        )


def _found(item: Item, wishes: WishList) -> Found:
    key = wishes.identity.read(item)
    return Found(
        item_id=item.id,
        key=str(key).strip() if key is not None else "",
        name=item.name,
        parent=None if item.parent is None else ItemId(item.parent.id),
        version=item.version,
        created_by=item.created_by.name if item.created_by else "",
        modified_by=item.modified_by.name if item.modified_by else "",
        values={
            field_id: shape.read(item) for field_id, shape in wishes.shapes.items()
        },
    )
