"""The steps of a plan, as plain values.

Items are named by a spot: the number of an item that exists, or the key of one
that the plan creates; None is the top of the tracker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from airflow_codebeamer.ids import FieldId, ItemId
from airflow_codebeamer.models import FieldValue, NewItem
from airflow_codebeamer.skeleton.fields import FieldShape, Value

__all__ = [
    "Associate",
    "Attach",
    "Change",
    "Create",
    "Discard",
    "Dissociate",
    "Move",
    "Reorder",
    "Spot",
    "Step",
    "Update",
]

Spot: TypeAlias = ItemId | str

Shapes: TypeAlias = Mapping[FieldId, FieldShape]

#: Servers give these to an item by themselves; a request that sends them empty
#: would be no smaller, and some refuse an empty value at creation.
_EMPTY: tuple[Value, ...] = (None, "", ())


@dataclass(frozen=True, slots=True)
class Create:
    """One new item: where it goes, and the values that it begins with."""

    word: ClassVar[str] = "create"
    key: str
    name: str
    parent: Spot | None
    reference: Spot | None
    position: Literal["BEFORE", "AFTER"] | None
    values: Mapping[FieldId, Value]
    description_format: str = ""

    def new_item(self, shapes: Shapes) -> NewItem:
        """Return the item as the create request needs it."""
        properties: dict[str, Any] = {}
        custom: list[FieldValue] = []
        for field_id, value in self.values.items():
            shape = shapes[field_id]
            if value in _EMPTY or shape.item_property == "name":
                continue
            if shape.item_property:
                properties[shape.item_property] = shape.property_json(value)
            else:
                custom.append(shape.wire(value))
        if self.description_format and "description" in properties:
            properties["descriptionFormat"] = self.description_format
        return NewItem(self.name, properties, tuple(custom))

    def to_json(self) -> dict[str, Any]:
        """Return the step as JSON would have it."""
        return {
            "step": self.word,
            "key": self.key,
            "name": self.name,
            "parent": self.parent,
            "reference": self.reference,
            "position": self.position,
            "values": {str(k): json_value(v) for k, v in self.values.items()},
        }


@dataclass(frozen=True, slots=True)
class Change:
    """One field's value before and after; `via` are statuses on the way there."""

    field_id: FieldId
    before: Value
    after: Value
    via: tuple[Value, ...] = ()

    @property
    def stages(self) -> tuple[Value, ...]:
        """What is written, one after the other."""
        return (*self.via, self.after)

    def to_json(self) -> dict[str, Any]:
        """Return the change as JSON would have it."""
        data: dict[str, Any] = {
            "field": self.field_id,
            "before": json_value(self.before),
            "after": json_value(self.after),
        }
        if self.via:
            data["via"] = [json_value(value) for value in self.via]
        return data


@dataclass(frozen=True, slots=True)
class Update:
    """New values for those fields of an item that differ.

    The key of a new item stands for what it could not be created with: pointers
    at items that come later, and statuses that are no first ones.
    """

    word: ClassVar[str] = "update"
    item_id: Spot
    key: str
    changes: tuple[Change, ...]

    @property
    def stages(self) -> int:
        """How many times the item is written."""
        return max(len(change.stages) for change in self.changes)

    def to_json(self) -> dict[str, Any]:
        """Return the step as JSON would have it."""
        return {
            "step": self.word,
            "item": self.item_id,
            "key": self.key,
            "changes": [change.to_json() for change in self.changes],
        }


@dataclass(frozen=True, slots=True)
class Move:
    """An item that goes below another parent, at an index from 0."""

    word: ClassVar[str] = "move"
    item_id: ItemId
    key: str
    source: ItemId | None
    target: Spot | None
    index: int

    def to_json(self) -> dict[str, Any]:
        """Return the step as JSON would have it."""
        return {
            "step": self.word,
            "item": self.item_id,
            "key": self.key,
            "source": self.source,
            "target": self.target,
            "index": self.index,
        }


@dataclass(frozen=True, slots=True)
class Reorder:
    """A new order of all children of one parent, foreign ones included."""

    word: ClassVar[str] = "reorder"
    parent: Spot | None
    before: tuple[Spot, ...]
    after: tuple[Spot, ...]

    @property
    def key(self) -> str:
        """The parent, as a journal names the step."""
        return str(self.parent or "")

    def to_json(self) -> dict[str, Any]:
        """Return the step as JSON would have it."""
        return {
            "step": self.word,
            "parent": self.parent,
            "before": list(self.before),
            "after": list(self.after),
        }


@dataclass(frozen=True, slots=True)
class Discard:
    """An item of ours that goes to the trash, from which REST has no way back."""

    word: ClassVar[str] = "discard"
    item_id: ItemId
    key: str
    name: str

    def to_json(self) -> dict[str, Any]:
        """Return the step as JSON would have it."""
        return {
            "step": self.word,
            "item": self.item_id,
            "key": self.key,
            "name": self.name,
        }


@dataclass(frozen=True, slots=True)
class Associate:
    """A new link from an item to the one that a token names."""

    word: ClassVar[str] = "associate"
    item_id: Spot
    key: str
    type_id: int
    type: str
    target: str
    propagates: bool

    def to_json(self) -> dict[str, Any]:
        """Return the step as JSON would have it."""
        return {
            "step": self.word,
            "item": self.item_id,
            "key": self.key,
            "type": [self.type_id, self.type],
            "target": self.target,
            "propagates": self.propagates,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Associate:
        """Return the step that `to_json` described."""
        type_id, name = data["type"]
        return cls(
            data["item"] if isinstance(data["item"], str) else ItemId(data["item"]),
            data["key"],
            type_id,
            name,
            data["target"],
            data["propagates"],
        )


@dataclass(frozen=True, slots=True)
class Dissociate:
    """A link of ours that goes; it could be made again, under another number."""

    word: ClassVar[str] = "dissociate"
    item_id: ItemId
    key: str
    number: int
    type_id: int
    type: str
    target: str
    propagates: bool

    def to_json(self) -> dict[str, Any]:
        """Return the step as JSON would have it."""
        return {
            "step": self.word,
            "item": self.item_id,
            "key": self.key,
            "association": self.number,
            "type": [self.type_id, self.type],
            "target": self.target,
            "propagates": self.propagates,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Dissociate:
        """Return the step that `to_json` described."""
        type_id, name = data["type"]
        return cls(
            ItemId(data["item"]),
            data["key"],
            data["association"],
            type_id,
            name,
            data["target"],
            data["propagates"],
        )


@dataclass(frozen=True, slots=True)
class Attach:
    """A file that is sent: a new one, or a new version of the one of a number.

    Where it is read from, and what is in it, is in no journal.
    """

    word: ClassVar[str] = "attach"
    item_id: Spot
    key: str
    name: str
    size: int
    sha512: str
    path: str = ""
    number: int | None = None
    version: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the step as JSON would have it."""
        return {
            "step": self.word,
            "item": self.item_id,
            "key": self.key,
            "name": self.name,
            "size": self.size,
            "sha512": self.sha512,
            "attachment": self.number,
            "version": self.version,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Attach:
        """Return the step that `to_json` described."""
        return cls(
            data["item"] if isinstance(data["item"], str) else ItemId(data["item"]),
            data["key"],
            data["name"],
            data["size"],
            data["sha512"],
            number=data["attachment"],
            version=data["version"],
        )


Step: TypeAlias = (
    Create | Update | Move | Reorder | Associate | Dissociate | Attach | Discard
)


def json_value(value: Value) -> Any:
    """Return a value as JSON would have it."""
    return list(map(json_value, value)) if isinstance(value, tuple) else value


def from_json_value(data: Any) -> Any:
    """Return the value that `json_value` wrote."""
    return tuple(map(from_json_value, data)) if isinstance(data, list) else data
