"""What the journal says about a run: written before, read by a rollback.

A rollback may happen in another process, after the document is gone, so these
records carry all that it needs: fields with their kinds, values before and
after, and the order of siblings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from airflow_codebeamer.ids import FieldId, ItemId
from airflow_codebeamer.journal import JSON, Entry
from airflow_codebeamer.skeleton.fields import FieldShape, Value
from airflow_codebeamer.skeleton.flow import Flow
from airflow_codebeamer.skeleton.plan import Plan
from airflow_codebeamer.skeleton.steps import (
    Associate,
    Attach,
    Discard,
    Dissociate,
    Move,
    Reorder,
    Spot,
    from_json_value,
)

__all__ = ["Before", "Record", "Written", "intents", "read_record"]

_HEADER = "plan"


@dataclass
class Written:
    """An item, and for each field its value before the run and all that it wrote."""

    item_id: ItemId
    key: str
    fields: dict[FieldId, tuple[Value, list[Value]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Before:
    """A file as it was before the run."""

    version: int
    size: int
    sha512: str


@dataclass
class Record:
    """Everything that a run intended to do, from its journal."""

    account: str = ""
    #: Whether anything was written down at all.
    is_empty: bool = True
    identity: FieldShape | None = None
    flow: Flow = field(default_factory=lambda: Flow(()))
    shapes: dict[FieldId, FieldShape] = field(default_factory=dict)
    #: Children of each parent that loses, gets or reorders some, before the run.
    orders: dict[ItemId | None, tuple[ItemId, ...]] = field(default_factory=dict)
    created: list[str] = field(default_factory=list)
    #: The numbers of created items, as far as they were told.
    numbers: dict[str, ItemId] = field(default_factory=dict)
    updates: dict[ItemId, Written] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)
    reorders: list[Reorder] = field(default_factory=list)
    #: The numbers of the associations of each item that the run linked, before it.
    associations: dict[ItemId, frozenset[int]] = field(default_factory=dict)
    associates: list[Associate] = field(default_factory=list)
    dissociates: list[Dissociate] = field(default_factory=list)
    #: The files of each item to which the run sent some, before it, by number.
    attachments: dict[ItemId, dict[int, Before]] = field(default_factory=dict)
    attaches: list[Attach] = field(default_factory=list)
    discards: list[Discard] = field(default_factory=list)


def intents(plan: Plan) -> Iterator[tuple[str, str, JSON]]:
    """Yield the journal entries of a plan: a header, then one for each step."""
    yield _HEADER, "", _header(plan)
    for step in plan.steps:
        yield step.word, step.key, step.to_json()


def read_record(entries: Iterable[Entry]) -> Record:
    """Return what the entries of one run say."""
    record = Record()
    for entry in entries:
        data = entry.intent
        match entry.kind:
            case "plan":
                _read_header(record, data)
            case "create":
                record.created.append(data["key"])
                if isinstance(entry.outcome, dict) and "item" in entry.outcome:
                    record.numbers[data["key"]] = ItemId(entry.outcome["item"])
            case "update":
                _add_update(record, data)
            case "move":
                record.moves.append(
                    Move(
                        ItemId(data["item"]),
                        data["key"],
                        data["source"],
                        data["target"],
                        data["index"],
                    )
                )
            case "discard":
                record.discards.append(
                    Discard(ItemId(data["item"]), data["key"], data["name"])
                )
            case "reorder":
                record.reorders.append(
                    Reorder(data["parent"], tuple(data["before"]), tuple(data["after"]))
                )
            case _:
                _read_part(record, entry)
    return record


def _header(plan: Plan) -> JSON:
    snapshot, identity = plan.snapshot, plan.snapshot.wishes.identity
    touched: set[Spot | None] = {step.parent for step in plan.reorders}
    for move in plan.moves:
        touched |= {move.source, move.target}
    used = {change.field_id for step in plan.updates for change in step.changes}
    return {
        "tracker": snapshot.tracker_id,
        "owner": plan.document.owner,
        "account": snapshot.account,
        "digest": plan.digest,
        "identity": identity.to_json() if identity else None,
        "flow": [list(step) for step in snapshot.flow.steps] if snapshot.flow else [],
        "fields": [snapshot.wishes.shapes[field_id].to_json() for field_id in used],
        "orders": [
            [parent, list(snapshot.children.get(parent, ()))]
            for parent in touched
            if parent is None or isinstance(parent, int)
        ],
        "associations": [
            [item_id, [one.id for one in snapshot.associations.get(item_id, ())]]
            for item_id in sorted(_linked(plan))
        ],
        "attachments": [
            [
                step.item_id,
                [
                    [one.id, one.version, one.size, one.sha512]
                    for one in snapshot.attachments.get(step.item_id, ())
                ],
            ]
            for step in plan.attaches
            if not isinstance(step.item_id, str)
        ],
    }


def _linked(plan: Plan) -> set[ItemId]:
    """Return the items that are there and get or lose an association."""
    found = {step.item_id for step in plan.dissociates}
    for step in plan.associates:
        if not isinstance(step.item_id, str):
            found.add(step.item_id)
    return found


def _read_part(record: Record, entry: Entry) -> None:
    match entry.kind:
        case "associate":
            record.associates.append(Associate.from_json(entry.intent))
        case "dissociate":
            record.dissociates.append(Dissociate.from_json(entry.intent))
        case "attach":
            record.attaches.append(Attach.from_json(entry.intent))


def _read_header(record: Record, data: dict[str, Any]) -> None:
    record.account = data["account"]
    record.is_empty = False
    if data["identity"]:
        record.identity = FieldShape.from_json(data["identity"])
    record.flow = Flow((before, after) for before, after in data.get("flow", ()))
    for shape in map(FieldShape.from_json, data["fields"]):
        record.shapes.setdefault(shape.field_id, shape)
    # A run that was resumed has a header for each try: the first saw it untouched.
    for parent, children in data["orders"]:
        record.orders.setdefault(parent, tuple(children))
    for item_id, numbers in data.get("associations", ()):
        record.associations.setdefault(ItemId(item_id), frozenset(numbers))
    for item_id, files in data.get("attachments", ()):
        before = {number: Before(*rest) for number, *rest in files}
        record.attachments.setdefault(ItemId(item_id), before)


def _add_update(record: Record, data: dict[str, Any]) -> None:
    if isinstance(data["item"], str):
        # A new item goes to the trash with whatever it was given later.
        return
    item_id = ItemId(data["item"])
    update = record.updates.setdefault(item_id, Written(item_id, data["key"]))
    for change in data["changes"]:
        field_id = FieldId(change["field"])
        stages = [*change.get("via", ()), change["after"]]
        _, written = update.fields.setdefault(
            field_id, (from_json_value(change["before"]), [])
        )
        written += map(from_json_value, stages)
