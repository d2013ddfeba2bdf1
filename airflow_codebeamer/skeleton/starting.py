"""A document to begin with, written from a tracker that exists."""

from __future__ import annotations

import json
from collections.abc import Iterator

from airflow_codebeamer.client import Client
from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.models import TrackerField
from airflow_codebeamer.skeleton.document import load_document
from airflow_codebeamer.skeleton.fields import FieldShape
from airflow_codebeamer.skeleton.kinds import Kind
from airflow_codebeamer.skeleton.look import read_snapshot
from airflow_codebeamer.skeleton.schema import Schema, tables_of
from airflow_codebeamer.skeleton.snapshot import Found, Snapshot
from airflow_codebeamer.skeleton.standing import standing_lines

__all__ = ["starting_document"]

_MOST_ITEMS = 20
_EXAMPLES = {
    Kind.TEXT: "some text",
    Kind.URL: "https://example.com",
    Kind.WIKI: "{wiki: '__some__ text'}",
    Kind.INTEGER: "7",
    Kind.DECIMAL: "0.5",
    Kind.BOOL: "true",
    Kind.DATE: "2026-01-31",
}


def starting_document(
    client: Client, tracker_id: TrackerId, *, prefix: str = ""
) -> str:
    """Return a commented document for a tracker, in YAML.

    It names the fields and tables that a document may write, with their options, and
    holds the first items that carry keys already, with their tables and the
    associations that our account made; files stand in comments. Applied as it is it
    changes nothing.

    Raises:
        DocumentError: the tracker has no text field that could keep keys.
    """
    fields = client.trackers.list_schema(tracker_id)
    keeper = _keeper(fields)
    head = {
        "owner": "my-generator",
        "target": {"tracker": tracker_id},
        "identity": {"field": keeper, "prefix": prefix},
    }
    empty = load_document({**head, "items": []})
    snapshot = read_snapshot(client, tracker_id, empty)
    tracker = client.trackers.get_tracker(tracker_id)
    lines = _lines(client, snapshot, fields, keeper, prefix, tracker.name)
    return "\n".join(lines) + "\n"


def _lines(
    client: Client,
    snapshot: Snapshot,
    fields: list[TrackerField],
    keeper: str,
    prefix: str,
    name: str,
) -> Iterator[str]:
    yield f"# What should stand in the tracker {name!r}."
    yield "# `airflow-codebeamer plan` says what applying it would do."
    yield "schema: 1"
    yield "kind: skeleton"
    yield "owner: my-generator  # whose document it is: small letters, digits, - _ ."
    yield f"target: {{tracker: {snapshot.tracker_id}}}"
    yield "# Where keys are kept, and what stands before each of yours."
    yield f"identity: {{field: {json.dumps(keeper)}, prefix: {json.dumps(prefix)}}}"
    yield "policy:"
    yield "  foreign_edit: fail  # or keep, overwrite: when people edited what is yours"
    yield "  order: strict  # or append, ignore"
    yield "  prune: {mode: report}  # or obsolete, trash: for items gone from here"
    yield "# Fields that a document may write, under `fields` (kept at their value) or"
    yield "# `seed` (written once):"
    yield from _field_lines(fields, keeper)
    yield from _table_lines(fields)
    yield from _item_lines(client, snapshot, fields, prefix)


def _field_lines(fields: list[TrackerField], keeper: str) -> Iterator[str]:
    schema = Schema(fields)
    for field in fields:
        try:
            shape = schema.get(field.name, "")
        except DocumentError:
            continue
        if shape.name != keeper and shape.kind is not Kind.TABLE:
            yield f"#   {json.dumps(shape.name, ensure_ascii=False)}: {_example(shape)}"


def _table_lines(fields: list[TrackerField]) -> Iterator[str]:
    tables = tables_of(Schema(fields), fields)
    if tables:
        yield "# Tables that it may write, under `tables`; `steps` is short for the one"
        yield "# of test steps, with action, expected and critical:"
    for table in tables:
        cells = ", ".join(
            f"{json.dumps(column.name, ensure_ascii=False)}: {_example(column)}"
            for column in table.columns
        )
        yield f"#   {json.dumps(table.name, ensure_ascii=False)}: [{{{cells}}}]"


def _example(shape: FieldShape) -> str:
    if shape.kind is Kind.CHOICE:
        names = [name for number, name in shape.options if number]
        shown = " | ".join(json.dumps(name, ensure_ascii=False) for name in names[:8])
        return (f"[{shown}]" if shape.is_multiple else shown) + (
            " | …" if len(names) > 8 else ""
        )
    if shape.kind is Kind.REFERENCE:
        forms = {
            "user": "{user: alice}",
            "role": "{role: Tester}",
            "item": "{ref: key}",
        }
        return f"[{', '.join(forms[kind] for kind in shape.refers)}]"
    return _EXAMPLES.get(shape.kind, "…")


def _item_lines(
    client: Client, snapshot: Snapshot, fields: list[TrackerField], prefix: str
) -> Iterator[str]:
    ours = [
        found
        for found in _in_order(snapshot)
        if found.key and found.key.startswith(prefix) and len(found.key) > len(prefix)
    ]
    others = len(snapshot.items) - len(ours)
    if others:
        yield f"# {others} items of the tracker carry no key of yours; they stay."
    if not ours:
        yield "items: []"
        yield "# items:"
        yield "#   - key: PUMP"
        yield "#     name: Pump"
        yield "#     type: Folder"
        yield "#     children:"
        yield "#       - {key: PUMP-1, name: Pressure, fields: {}}"
        return
    yield "items:"
    first = ours[:_MOST_ITEMS]
    yield from standing_lines(client, snapshot, fields, first, prefix)
    if len(ours) > _MOST_ITEMS:
        yield f"# … and {len(ours) - _MOST_ITEMS} more items with keys of yours."


def _in_order(snapshot: Snapshot) -> Iterator[Found]:
    waiting = list(reversed(snapshot.children.get(None, ())))
    while waiting:
        item_id = waiting.pop()
        yield snapshot.items[item_id]
        waiting += reversed(snapshot.children.get(item_id, ()))


def _keeper(fields: list[TrackerField]) -> str:
    """Return the field that keeps keys, or the first that could."""
    schema = Schema(fields)
    texts: list[str] = []
    for field in fields:
        try:
            shape = schema.get(field.name, "")
        except DocumentError:
            continue
        if shape.kind is Kind.TEXT and not shape.item_property:
            texts.append(shape.name)
    if not texts:
        raise DocumentError(
            "identity.field", "the tracker needs a text field of its own to keep keys"
        )
    return "External ID" if "External ID" in texts else texts[0]
