"""Snapshot: what stands in the tracker, in the words of the document."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.ids import FieldId, ItemId, TrackerId
from airflow_codebeamer.models import Association, Attachment, Item
from airflow_codebeamer.skeleton.document import Document
from airflow_codebeamer.skeleton.fields import FieldShape, Value, is_same
from airflow_codebeamer.skeleton.flow import Flow
from airflow_codebeamer.skeleton.wishes import WishList

__all__ = [
    "Found",
    "Snapshot",
    "check_copies",
    "freeze",
    "order_of",
    "read_found",
    "rebuilt",
    "rooted",
]


@dataclass(frozen=True, slots=True)
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
    modified_at: str = ""
    ordinal: int = 0
    below: tuple[ItemId, ...] = ()
    comments: int = 0


@dataclass(frozen=True)
class Snapshot:
    """A tracker at one moment, and the document's wishes in its words.

    `children` lists siblings in their order, foreign ones too, under their
    parent's number (None: the top). `keyed` finds items by their key; of
    several with the same key it has the oldest, `copies` has the others.
    `account` is who we are: an item that somebody else changed last may carry
    an edit that is not ours. `flow` is the workflow, if statuses are written.
    """

    tracker_id: TrackerId
    account: str
    wishes: WishList
    items: Mapping[ItemId, Found]
    children: Mapping[ItemId | None, tuple[ItemId, ...]]
    keyed: Mapping[str, Found]
    copies: Mapping[str, tuple[Found, ...]]
    flow: Flow | None = None
    queries: tuple[str, ...] = ()
    #: The item below which the document stands, None for the top.
    root: ItemId | None = None
    #: Items that carry no key yet and get that of the document by their path.
    adopted: frozenset[ItemId] = frozenset()
    #: Items that the policy protects from being pruned.
    protected: frozenset[ItemId] = frozenset()
    #: What our account gave fields last, in a tuple; None if it never gave any.
    bases: Mapping[ItemId, Mapping[FieldId, tuple[Value] | None]] = field(
        default_factory=dict
    )

    #: Of items whose document names theirs: the associations that start there.
    associations: Mapping[ItemId, tuple[Association, ...]] = field(default_factory=dict)

    #: Of items that name files: all that hang there.
    attachments: Mapping[ItemId, tuple[Attachment, ...]] = field(default_factory=dict)

    def is_foreign(self, found: Found) -> bool:
        """Whether somebody else changed the item last; log-ins have no case."""
        return found.modified_by.casefold() != self.account.casefold()

    def is_edited(self, found: Found, shape: FieldShape) -> bool:
        """Whether a field holds what somebody else wrote.

        Where the item's past is not known, who changed it last decides.
        """
        bases = self.bases.get(found.item_id)
        if bases is None or shape.field_id not in bases:
            return self.is_foreign(found)
        base = bases[shape.field_id]
        return base is None or not is_same(shape, base[0], found.values[shape.field_id])


def freeze(
    tracker_id: TrackerId,
    account: str,
    wishes: WishList,
    items: Iterable[Found],
    *,
    flow: Flow | None = None,
    queries: tuple[str, ...] = (),
) -> Snapshot:
    """Make a snapshot of items as they were read."""
    found = {item.item_id: item for item in items}
    children = _arrange(
        (one.item_id, one.parent, one.below, one.ordinal) for one in found.values()
    )
    keyed, copies = _by_key(found)
    return Snapshot(
        tracker_id, account, wishes, found, children, keyed, copies, flow, queries
    )


def rebuilt(
    snapshot: Snapshot,
    items: Mapping[ItemId, Found],
    children: Mapping[ItemId | None, tuple[ItemId, ...]],
) -> Snapshot:
    """Return the snapshot with other items in another order."""
    keyed, copies = _by_key(items)
    return replace(snapshot, items=items, children=children, keyed=keyed, copies=copies)


def rooted(document: Document, snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with the item below which the document stands.

    Raises:
        DocumentError: there is no such item, or it is one of the document's own.
    """
    name = document.target.root
    if name is None:
        return snapshot
    found = (
        snapshot.items.get(ItemId(name))
        if isinstance(name, int)
        else snapshot.keyed.get(name)
    )
    if found is None:
        what = (
            f"item {name}" if isinstance(name, int) else f"item with the key {name!r}"
        )
        raise DocumentError("target.root", f"the tracker has no {what}")
    if found.key and found.key in snapshot.wishes.by_key:
        raise DocumentError("target.root", "is an item of this document")
    return replace(snapshot, root=found.item_id)


def _by_key(
    found: Mapping[ItemId, Found],
) -> tuple[dict[str, Found], dict[str, tuple[Found, ...]]]:
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
    return keyed, copies


def order_of(items: Iterable[Item]) -> dict[ItemId | None, tuple[ItemId, ...]]:
    """Return the children of each parent in the tracker's order."""
    return _arrange(
        (
            item.id,
            None if item.parent is None else ItemId(item.parent.id),
            tuple(ItemId(child.id) for child in item.children),
            item.ordinal or 0,
        )
        for item in items
    )


Placed = tuple[ItemId, ItemId | None, tuple[ItemId, ...], int]


def _arrange(items: Iterable[Placed]) -> dict[ItemId | None, tuple[ItemId, ...]]:
    place: dict[ItemId, int] = {}
    groups: dict[ItemId | None, list[tuple[ItemId, int]]] = {}
    for item_id, parent, below, ordinal in items:
        place.update((child, index) for index, child in enumerate(below))
        groups.setdefault(parent, []).append((item_id, ordinal))
    ordered: dict[ItemId | None, tuple[ItemId, ...]] = {}
    for parent, group in groups.items():
        # At the top no parent lists its children: the ordinal is all there is.
        ranks = sorted(
            (0 if parent is None else place.get(item_id, 0), ordinal, item_id)
            for item_id, ordinal in group
        )
        ordered[parent] = tuple(item_id for _, _, item_id in ranks)
    return ordered


def check_copies(document: Document, snapshot: Snapshot) -> None:
    """Refuse keys of the document that several items carry.

    Raises:
        DocumentError: names the items, unless the document says to take the first.
    """
    if document.identity.duplicates == "first":
        return
    for key, copies in snapshot.copies.items():
        if key not in snapshot.wishes.by_key and key not in snapshot.wishes.rows:
            continue
        ids = [snapshot.keyed[key].item_id, *(copy.item_id for copy in copies)]
        raise DocumentError(
            "identity.duplicates",
            f"the key {key!r} stands in {len(ids)} items of the tracker"
            f" ({', '.join(map(str, ids))}); delete all but one, or write"
            " 'first' here to use the oldest",
        )


def read_found(raw: Mapping[str, Any], wishes: WishList) -> Found:
    """Return an item from the JSON that a query answered."""
    customs = {entry.get("fieldId"): entry for entry in raw.get("customFields") or ()}
    key = None if wishes.identity is None else wishes.identity.read_json(raw, customs)
    parent = raw.get("parent")
    return Found(
        item_id=ItemId(int(raw["id"])),
        key=str(key).strip() if key is not None else "",
        name=str(raw.get("name") or ""),
        parent=None if parent is None else ItemId(parent["id"]),
        version=int(raw.get("version") or 0),
        created_by=_name(raw.get("createdBy")),
        modified_by=_name(raw.get("modifiedBy")),
        values={
            field_id: shape.read_json(raw, customs)
            for field_id, shape in wishes.shapes.items()
        },
        modified_at=str(raw.get("modifiedAt") or ""),
        ordinal=int(raw.get("ordinal") or 0),
        below=tuple(ItemId(child["id"]) for child in raw.get("children") or ()),
        comments=len(raw.get("comments") or ()),
    )


def _name(reference: Mapping[str, Any] | None) -> str:
    return sys.intern(str(reference.get("name") or "")) if reference else ""
