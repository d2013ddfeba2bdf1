"""Item as read, NewItem and ItemPatch as written, and answers about items."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from pydantic import Field

from airflow_codebeamer.ids import ItemId
from airflow_codebeamer.models.field import FieldValue, plain
from airflow_codebeamer.models.reference import Answer, Reference

__all__ = [
    "BulkFailure",
    "BulkResult",
    "Item",
    "ItemLock",
    "ItemPatch",
    "NewItem",
    "Page",
    "Place",
]


T = TypeVar("T")


class Item(Answer):
    """An item with everything that a query returns.

    Built-in fields are properties of their own (some only as extras, see
    `value_of`), custom fields stand in `custom_fields`. Times carry no zone in
    the documented examples and are kept as the server wrote them.
    """

    id: ItemId
    name: str = ""
    description: str | None = None
    description_format: str = Field(default="", alias="descriptionFormat")
    tracker: Reference | None = None
    parent: Reference | None = None
    children: tuple[Reference, ...] = ()
    comments: tuple[Reference, ...] = ()
    ordinal: int | None = None
    status: Reference | None = None
    categories: tuple[Reference, ...] = ()
    version: int = 0
    created_at: str = Field(default="", alias="createdAt")
    created_by: Reference | None = Field(default=None, alias="createdBy")
    modified_at: str = Field(default="", alias="modifiedAt")
    modified_by: Reference | None = Field(default=None, alias="modifiedBy")
    type_name: str = Field(default="", alias="typeName")
    custom_fields: tuple[FieldValue, ...] = Field(default=(), alias="customFields")

    def property_value(self, name: str) -> Any:
        """Return a built-in field by the server's name for it, None if absent."""
        return self.model_dump(by_alias=True).get(name)


@dataclass(frozen=True)
class Place:
    """Where a new item goes: below `parent`, and next to `reference`.

    Without `parent` the item is at the top of the tracker; without `reference`
    the server decides the position, which no document describes.
    """

    parent: ItemId | None = None
    reference: ItemId | None = None
    position: Literal["BEFORE", "AFTER", "BELOW"] | None = None


@dataclass(frozen=True)
class NewItem:
    """An item to create: built-in properties and custom field values."""

    name: str
    properties: dict[str, Any] = field(default_factory=dict)
    custom_fields: tuple[FieldValue, ...] = ()

    def request(self) -> dict[str, Any]:
        """Return the body of the create request."""
        body: dict[str, Any] = {"name": self.name}
        body |= {name: plain(value) for name, value in self.properties.items()}
        if self.custom_fields:
            body["customFields"] = [value.request() for value in self.custom_fields]
        return body


@dataclass(frozen=True)
class ItemPatch:
    """New values for some fields of one item; all others stay as they are."""

    item_id: ItemId
    values: tuple[FieldValue, ...]

    def request(self) -> dict[str, Any]:
        """Return one entry of the bulk update's body; tables stand apart in it."""
        tables = [value.request() for value in self.values if value.is_table]
        body: dict[str, Any] = {
            "itemId": self.item_id,
            "fieldValues": [v.request() for v in self.values if not v.is_table],
        }
        return body | ({"tableValues": tables} if tables else {})


class BulkFailure(Answer):
    """One item that a bulk update did not change."""

    id: int
    message: str = Field(default="", alias="exceptionMessage")


class BulkResult(Answer):
    """What a bulk update did: a 200 does not mean that everything worked."""

    successful: int = Field(default=0, alias="successfulOperationsCount")
    failed: tuple[BulkFailure, ...] = Field(default=(), alias="failedOperations")


class ItemLock(Answer):
    """Who holds an item's own lock, and whether it ends by itself."""

    user: Reference | None = None
    expires: bool = False


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a longer list; `number` counts from 1."""

    number: int
    size: int
    total: int
    entries: tuple[T, ...]
