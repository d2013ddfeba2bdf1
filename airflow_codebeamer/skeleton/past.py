"""The past of items: which of their values our account wrote last.

That is the base of the three-way merge, and no store keeps it but the server's
own history. It is asked only for items that somebody else may have written, and
of which an owned value is not as the document wants it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

from airflow_codebeamer.client import Client
from airflow_codebeamer.errors import ApiError
from airflow_codebeamer.ids import FieldId, ItemId
from airflow_codebeamer.models import Change, FieldValue, Version
from airflow_codebeamer.skeleton.document import Document, Skeleton
from airflow_codebeamer.skeleton.fields import FieldShape, Value, is_same
from airflow_codebeamer.skeleton.kinds import Kind
from airflow_codebeamer.skeleton.snapshot import Found, Snapshot
from airflow_codebeamer.skeleton.tokens import settle

__all__ = ["base_of", "with_past"]

Owned = Mapping[FieldId, Value]


def with_past(client: Client, document: Document, snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with the bases of the items for which it matters.

    Not promised: to know better than who changed an item last where the server
    does not show its history.
    """
    asked = [
        (found, fields)
        for found, fields in _doubtful(document, snapshot)
        if found.item_id not in snapshot.bases
    ]
    if not asked:
        return snapshot
    bases = dict(snapshot.bases)
    with ThreadPoolExecutor(client.settings.connections, "past") as pool:
        for found, base in zip(
            (found for found, _ in asked),
            pool.map(partial(_base, client, snapshot), asked),
            strict=True,
        ):
            if base is not None:
                bases[found.item_id] = base
    return replace(snapshot, bases=bases)


def base_of(
    shape: FieldShape, found: Found, versions: Iterable[Version], account: str
) -> tuple[Value] | None:
    """Return the value that the account gave a field last, None if it never did."""
    if shape.kind is Kind.TABLE:
        return _rows_of_ours(shape, found, versions, account)
    ours = account.casefold()
    base: tuple[Value] | None = None
    first: tuple[Value] | None = None
    for version in versions:
        who = (version.modified_by.name if version.modified_by else "").casefold()
        for change in version.changes:
            if change.field is None or change.field.id != shape.field_id:
                continue
            if first is None:
                first = (_value(shape, change.old),)
            if who == ours:
                base = (_value(shape, change.new),)
    if base is None and found.created_by.casefold() == ours:
        # It was created with what the first change found, or never changed.
        return first or (found.values[shape.field_id],)
    return base


def _rows_of_ours(
    shape: FieldShape, found: Found, versions: Iterable[Version], account: str
) -> tuple[Value] | None:
    """Return a table as the account left it last, None if it never wrote it.

    Goes back from what stands there now, row by row.
    """
    ours = account.casefold()
    now = found.values[shape.field_id]
    rows: list[Any] = list(now) if isinstance(now, tuple) else []
    for version in reversed(list(versions)):
        changes = [
            change
            for change in version.changes
            if change.field is not None and change.field.id == shape.field_id
        ]
        who = (version.modified_by.name if version.modified_by else "").casefold()
        if changes and who == ours:
            return (tuple(rows),)
        for change in sorted(changes, key=lambda change: change.row or 0):
            _take_back(rows, change, shape)
        rows = [row for row in rows if row is not None]
    return (tuple(rows),) if found.created_by.casefold() == ours else None


def _take_back(rows: list[Any], change: Change, shape: FieldShape) -> None:
    """Give rows what stood there before a change; a row that was added is None."""
    before = _value(shape, change.old)
    old = list(before) if isinstance(before, tuple) else []
    if change.row is None:
        rows[:] = old
        return
    rows += [None] * (change.row + 1 - len(rows))
    rows[change.row] = old[0] if old else None


def _doubtful(
    document: Document, snapshot: Snapshot
) -> Iterator[tuple[Found, list[FieldShape]]]:
    """Yield items and those fields of theirs that may hold somebody's edit."""
    if not isinstance(document, Skeleton):
        if document.policy.foreign_edit != "overwrite":
            yield from _doubtful_update(snapshot)
        return
    numbers = {key: found.item_id for key, found in snapshot.keyed.items()}
    policy = document.policy.foreign_edit
    for wish in snapshot.wishes.wishes:
        found = snapshot.keyed.get(wish.key)
        if found is None or (policy == "overwrite" and not wish.is_protected):
            continue
        keeps = policy == "keep" or wish.is_protected
        if _may_be_foreign(found, snapshot, keeps=keeps):
            fields = _different(wish.owned, found, snapshot, numbers)
            if fields:
                yield found, fields


def _doubtful_update(
    snapshot: Snapshot,
) -> Iterator[tuple[Found, list[FieldShape]]]:
    wishes = snapshot.wishes
    for found in snapshot.items.values():
        row = wishes.rows.get(found.item_id) or wishes.rows.get(found.key)
        owned = wishes.common if row is None else row.owned
        if _may_be_foreign(found, snapshot, keeps=True):
            fields = _different(owned, found, snapshot, {})
            if fields:
                yield found, fields


def _may_be_foreign(found: Found, snapshot: Snapshot, *, keeps: bool) -> bool:
    """Whether somebody else may have written something of an item.

    Under `keep` our own last write may have left another's edit standing, so
    only an item that nobody has changed since we made it is certainly ours.
    """
    if snapshot.is_foreign(found):
        return True
    return keeps and found.version > 1


def _different(
    owned: Owned, found: Found, snapshot: Snapshot, numbers: Mapping[str, ItemId]
) -> list[FieldShape]:
    shapes = snapshot.wishes.shapes
    return [
        shapes[field_id]
        for field_id, wished in owned.items()
        if not is_same(
            shapes[field_id], settle(wished, numbers), found.values[field_id]
        )
    ]


def _base(
    client: Client, snapshot: Snapshot, asked: tuple[Found, list[FieldShape]]
) -> dict[FieldId, tuple[Value] | None] | None:
    found, fields = asked
    try:
        versions = client.items.list_history(found.item_id)
    except ApiError:
        return None
    return {
        shape.field_id: base_of(shape, found, versions, snapshot.account)
        for shape in fields
    }


def _value(shape: FieldShape, given: dict[str, Any] | None) -> Value:
    if given is None:
        return shape.empty
    value = FieldValue.model_validate(given)
    return shape.ours(value.values if value.values is not None else value.value)
