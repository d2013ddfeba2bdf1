"""What the journal says about a run: written before, read by a rollback.

A rollback may happen in another process, after the document is gone, so these
records carry all that it needs: fields with their kinds, values before and
after, and the order of siblings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from airflow_codebeamer.ids import FieldId, ItemId
from airflow_codebeamer.journal import JSON, Entry
from airflow_codebeamer.skeleton.fields import FieldShape
from airflow_codebeamer.skeleton.plan import Plan
from airflow_codebeamer.skeleton.steps import (
    Change,
    Move,
    Reorder,
    Spot,
    Update,
    from_json_value,
)

__all__ = ["Record", "intents", "read_record"]

_HEADER = "plan"


@dataclass
class Record:
    """Everything that a run intended to do, from its journal."""

    account: str = ""
    identity: FieldShape | None = None
    shapes: dict[FieldId, FieldShape] = field(default_factory=dict)
    #: Children of each parent that loses, gets or reorders some, before the run.
    orders: dict[ItemId | None, tuple[ItemId, ...]] = field(default_factory=dict)
    created: list[str] = field(default_factory=list)
    updates: list[Update] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    reorders: list[Reorder] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether the run never came as far as an intent."""
        return self.identity is None


def intents(plan: Plan) -> list[tuple[str, str, JSON]]:
    """Return the journal entries of a plan: a header, then one for each step."""
    entries: list[tuple[str, str, JSON]] = [(_HEADER, "", _header(plan))]
    entries += [("create", s.key, s.to_json()) for s in plan.creates]
    entries += [("update", s.key, s.to_json()) for s in plan.updates]
    entries += [("move", s.key, s.to_json()) for s in plan.moves]
    entries += [("reorder", str(s.parent or ""), s.to_json()) for s in plan.reorders]
    return entries


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
            case "update":
                record.updates.append(_update(data))
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
            case "reorder":
                record.reorders.append(
                    Reorder(data["parent"], tuple(data["before"]), tuple(data["after"]))
                )
    return record


def _header(plan: Plan) -> JSON:
    snapshot = plan.snapshot
    touched: set[Spot | None] = {step.parent for step in plan.reorders}
    for move in plan.moves:
        touched |= {move.source, move.target}
    used = {change.field_id for step in plan.updates for change in step.changes}
    return {
        "tracker": snapshot.tracker_id,
        "owner": plan.document.owner,
        "account": snapshot.account,
        "digest": plan.digest,
        "identity": snapshot.wishes.identity.to_json(),
        "fields": [snapshot.wishes.shapes[field_id].to_json() for field_id in used],
        "orders": [
            [parent, list(snapshot.children.get(parent, ()))]
            for parent in touched
            if parent is None or isinstance(parent, int)
        ],
    }


def _read_header(record: Record, data: dict[str, Any]) -> None:
    record.account = data["account"]
    record.identity = FieldShape.from_json(data["identity"])
    shapes = [FieldShape.from_json(shape) for shape in data["fields"]]
    record.shapes = {shape.field_id: shape for shape in shapes}
    record.orders = {parent: tuple(children) for parent, children in data["orders"]}


def _update(data: dict[str, Any]) -> Update:
    return Update(
        ItemId(data["item"]),
        data["key"],
        tuple(
            Change(
                FieldId(change["field"]),
                from_json_value(change["before"]),
                from_json_value(change["after"]),
            )
            for change in data["changes"]
        ),
    )
