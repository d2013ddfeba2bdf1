"""Survey: everything that stands in a tracker, to compare it with later.

Where a program writes by itself there is no plan to undo, so the tracker is
surveyed before it starts. The survey lives in the journal: whoever has to put the
tracker back finds it there, in whichever process.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_codebeamer.client import Client
from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.ids import FieldId, ItemId, TrackerId
from airflow_codebeamer.journal import JSON, Entry
from airflow_codebeamer.models import Item, TrackerField
from airflow_codebeamer.skeleton.beside import Beside, read_beside
from airflow_codebeamer.skeleton.fields import FieldShape, Value
from airflow_codebeamer.skeleton.records import Before
from airflow_codebeamer.skeleton.schema import Schema
from airflow_codebeamer.skeleton.steps import from_json_value, json_value

__all__ = ["FILES", "Survey", "Surveyed", "read_survey", "survey_entries", "survey_of"]

_HEADER = "survey"
_ITEMS = "surveyed"
#: Entries with the files of an item, as they hung there before a program reached it.
FILES = "files"
#: How many items one entry of the journal holds.
_CHUNK = 500


@dataclass(frozen=True)
class Surveyed:
    """One item as it stood there.

    `others` has a digest of each field that cannot be written, so that its change
    is at least seen.
    """

    item_id: ItemId
    name: str
    parent: ItemId | None
    version: int
    created_by: str
    modified_by: str
    values: Mapping[FieldId, Value]
    others: Mapping[str, str]


@dataclass(frozen=True)
class Survey:
    """A tracker at one moment; `children` has the order below each item."""

    tracker_id: TrackerId
    account: str
    shapes: Mapping[FieldId, FieldShape]
    items: Mapping[ItemId, Surveyed]
    children: Mapping[ItemId | None, tuple[ItemId, ...]]
    beside: Beside = field(default_factory=Beside)


def read_survey(
    client: Client,
    tracker_id: TrackerId,
    shapes: Mapping[FieldId, FieldShape] | None = None,
    files_of: Collection[ItemId] = (),
) -> Survey:
    """Read all items of a tracker and what stands beside their fields.

    The schema is read if `shapes` are not given. `files_of` are the items whose
    files are looked at, a request each.
    """
    if shapes is None:
        shapes = _shapes(client.trackers.list_schema(tracker_id))
    items = client.items.query(f"tracker.id IN ({tracker_id})")
    found = {item.id: _surveyed(item, shapes) for item in items}
    return Survey(
        tracker_id,
        client.settings.login,
        shapes,
        found,
        _children(items, found),
        read_beside(client, tracker_id, items, [n for n in files_of if n in found]),
    )


def survey_entries(survey: Survey) -> list[tuple[str, str, JSON]]:
    """Return the survey as entries of a journal."""
    header = {
        "tracker": survey.tracker_id,
        "account": survey.account,
        "fields": [shape.to_json() for shape in survey.shapes.values()],
        "beside": survey.beside.to_json(),
        "orders": [[p, list(children)] for p, children in survey.children.items()],
    }
    items = [_row(item) for item in survey.items.values()]
    chunks = [items[n : n + _CHUNK] for n in range(0, len(items), _CHUNK)]
    return [(_HEADER, "", header), *((_ITEMS, "", chunk) for chunk in chunks)]


def survey_of(entries: Iterable[Entry]) -> Survey | None:
    """Return the survey that the entries of a run hold, None if they hold none."""
    header: dict[str, Any] | None = None
    items: dict[ItemId, Surveyed] = {}
    files: dict[ItemId, dict[int, Before]] = {}
    for entry in entries:
        if entry.kind == _HEADER:
            header = entry.intent
        elif entry.kind == _ITEMS:
            items.update((one.item_id, one) for one in map(_from_row, entry.intent))
        elif entry.kind == FILES:
            # Of an item that was reached for twice, the first look is the one before.
            before = {number: Before(*rest) for number, *rest in entry.intent["files"]}
            files.setdefault(ItemId(entry.intent["item"]), before)
    if header is None:
        return None
    shapes = [FieldShape.from_json(shape) for shape in header["fields"]]
    return Survey(
        TrackerId(header["tracker"]),
        header["account"],
        {shape.field_id: shape for shape in shapes},
        items,
        {parent: tuple(children) for parent, children in header["orders"]},
        Beside.from_json(header["beside"]).with_files(files)
        if "beside" in header
        else Beside(),
    )


def _shapes(fields: Iterable[TrackerField]) -> dict[FieldId, FieldShape]:
    """Return the fields that we could put back."""
    listed = list(fields)
    schema = Schema(listed)
    found: dict[FieldId, FieldShape] = {}
    for one in listed:
        shape = _shape(schema, one)
        if shape is not None and shape.field_id == one.id:
            found[one.id] = shape
    return found


def _shape(schema: Schema, field: TrackerField) -> FieldShape | None:
    try:
        return schema.get(field.name, "")
    except DocumentError:
        pass  # name and description are properties of an item in a document
    try:
        return schema.get_built_in(field.item_property, "")
    except DocumentError:
        return None


def _surveyed(item: Item, shapes: Mapping[FieldId, FieldShape]) -> Surveyed:
    return Surveyed(
        item_id=item.id,
        name=item.name,
        parent=None if item.parent is None else ItemId(item.parent.id),
        version=item.version,
        created_by=item.created_by.name if item.created_by else "",
        modified_by=item.modified_by.name if item.modified_by else "",
        values={field_id: shape.read(item) for field_id, shape in shapes.items()},
        others={
            value.name: _digest(value.request())
            for value in item.custom_fields
            if value.field_id not in shapes
        },
    )


def _children(
    items: Iterable[Item], found: Mapping[ItemId, Surveyed]
) -> dict[ItemId | None, tuple[ItemId, ...]]:
    place: dict[int, int] = {}
    rank: dict[ItemId, tuple[int, int]] = {}
    for item in items:
        place.update({child.id: index for index, child in enumerate(item.children)})
        rank[item.id] = (item.ordinal or 0, item.id)
    groups: dict[ItemId | None, list[ItemId]] = {}
    for one in found.values():
        groups.setdefault(one.parent, []).append(one.item_id)
    return {
        parent: tuple(
            sorted(
                group,
                # At the top no parent lists its children: the ordinal is all.
                key=lambda n: (place.get(n, 0) if found[n].parent else 0, *rank[n]),
            )
        )
        for parent, group in groups.items()
    }


def _row(item: Surveyed) -> list[Any]:
    return [
        item.item_id,
        item.name,
        item.parent,
        item.version,
        item.created_by,
        item.modified_by,
        [[field_id, json_value(value)] for field_id, value in item.values.items()],
        dict(item.others),
    ]


def _from_row(row: list[Any]) -> Surveyed:
    item_id, name, parent, version, created_by, modified_by, values, others = row
    return Surveyed(
        ItemId(item_id),
        name,
        None if parent is None else ItemId(parent),
        version,
        created_by,
        modified_by,
        dict(_values(values)),
        others,
    )


def _values(pairs: Iterable[tuple[int, Any]]) -> Iterator[tuple[FieldId, Value]]:
    for field_id, value in pairs:
        yield FieldId(field_id), from_json_value(value)


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
