"""Association: a link from one item to another, and what an item is linked to."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from airflow_codebeamer.ids import ItemId
from airflow_codebeamer.models.reference import Answer, Reference

__all__ = ["Association", "Relation", "Relations"]


class Association(Answer):
    """A link of a type from `start` to `end`; `end` is None for an address outside.

    `propagates` says whether a change at its end makes its start suspect.
    """

    id: int
    type: Reference | None = None
    start: Reference | None = Field(default=None, alias="from")
    end: Reference | None = Field(default=None, alias="to")
    propagates: bool = Field(default=False, alias="propagatingSuspects")
    created_at: str = Field(default="", alias="createdAt")
    created_by: Reference | None = Field(default=None, alias="createdBy")

    @property
    def type_id(self) -> int:
        """The number of its type, 0 if the server does not say."""
        return 0 if self.type is None else self.type.id

    @property
    def end_id(self) -> int:
        """The number of the item at its end, 0 if there is none."""
        return 0 if self.end is None else self.end.id


class Relation(Answer):
    """An association as the list of an item's relations has it: without its type."""

    id: int
    revision: dict[str, Any] = Field(default_factory=dict, alias="itemRevision")

    @property
    def item_id(self) -> ItemId:
        """The item at the other end."""
        return ItemId(self.revision.get("id", 0))


class Relations(Answer):
    """What one item is linked to."""

    item: dict[str, Any] = Field(default_factory=dict, alias="itemId")
    outgoing: tuple[Relation, ...] = Field(default=(), alias="outgoingAssociations")

    @property
    def item_id(self) -> ItemId:
        """The item whose relations these are."""
        return ItemId(self.item.get("id", 0))
