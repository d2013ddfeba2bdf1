"""Items that stand in a tracker, as lines of a document that leaves them alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from airflow_codebeamer.client import Client
from airflow_codebeamer.ids import ItemId
from airflow_codebeamer.models import Association, Attachment, Item, TrackerField
from airflow_codebeamer.skeleton.associations import is_by, read_associations
from airflow_codebeamer.skeleton.attachments import read_attachments
from airflow_codebeamer.skeleton.fields import FieldShape, Value
from airflow_codebeamer.skeleton.kinds import Kind
from airflow_codebeamer.skeleton.schema import Schema, tables_of
from airflow_codebeamer.skeleton.snapshot import Found, Snapshot
from airflow_codebeamer.skeleton.tokens import number_of_item

__all__ = ["standing_lines"]

Entry = dict[str, Any]


def standing_lines(
    client: Client,
    snapshot: Snapshot,
    fields: Iterable[TrackerField],
    items: Sequence[Found],
    prefix: str,
) -> Iterator[str]:
    """Yield a line for each item, with its tables and our associations.

    Files, and what other people linked, stand in comments: a document names files on
    its own machine. Costs two requests, one for each item and one for each
    association.
    """
    numbers = [found.item_id for found in items]
    read = {item.id: item for item in client.items.query(_query(numbers))}
    links = read_associations(client, numbers, {})
    files = read_attachments(client, numbers)
    keys = {found.item_id: found.key.removeprefix(prefix) for found in items}
    tables = tables_of(Schema(fields), fields)
    for found in items:
        number = found.item_id
        entry: Entry = {"key": keys[number], "name": found.name}
        if found.parent is not None:
            if found.parent not in keys:
                continue
            entry["parent"] = keys[found.parent]
        entry |= _tables(read.get(number), tables)
        ours = [one for one in links.get(number, ()) if is_by(one, snapshot.account)]
        if ours:
            entry["associations"] = [_link(one, keys) for one in ours]
        yield f"  - {json.dumps(entry, ensure_ascii=False)}"
        theirs = [one for one in links.get(number, ()) if one not in ours]
        yield from _comments(theirs, files.get(number, ()), keys)


def _query(numbers: Sequence[ItemId]) -> str:
    return f"item.id IN ({', '.join(map(str, numbers))})"


def _tables(item: Item | None, tables: Sequence[FieldShape]) -> Entry:
    """Return the tables of an item that have rows, as far as a document says them."""
    found: dict[str, list[Entry]] = {}
    for table in tables:
        rows = () if item is None else table.read(item)
        if isinstance(rows, tuple) and rows:
            found[table.name] = [_row(table, row) for row in rows]
    return {"tables": found} if found else {}


def _row(table: FieldShape, row: Sequence[Value]) -> Entry:
    cells = zip(table.columns, row, strict=True)
    return {
        column.name: _cell(column, cell)
        for column, cell in cells
        if cell not in (None, "", (), False)
    }


def _cell(column: FieldShape, cell: Value) -> Any:
    if not isinstance(cell, tuple):
        return cell
    if column.kind is Kind.CHOICE:
        names = dict(column.options)
        chosen = [names.get(int(one), "") for one in cell]
        return chosen if column.is_multiple else chosen[0]
    return [
        {"item": number_of_item(token)} for token in cell if token.startswith("item:")
    ]


def _link(one: Association, keys: Mapping[ItemId, str]) -> Entry:
    end = ItemId(one.end_id)
    to = {"ref": keys[end]} if end in keys else {"item": end}
    entry: Entry = {"type": one.type.name if one.type else "", "to": to}
    return entry | ({"propagate_suspects": True} if one.propagates else {})


def _comments(
    theirs: Iterable[Association],
    files: Iterable[Attachment],
    keys: Mapping[ItemId, str],
) -> Iterator[str]:
    for one in theirs:
        yield f"    # linked by others: {json.dumps(_link(one, keys))}"
    for file in files:
        yield f"    # attached: {json.dumps(file.name)}, {file.size} bytes"
