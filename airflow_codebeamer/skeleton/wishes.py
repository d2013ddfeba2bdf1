"""Wish: a wanted item in the words of its tracker, names turned into numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_codebeamer.ids import FieldId, ItemId
from airflow_codebeamer.skeleton.fields import FieldShape, Value

__all__ = ["Row", "Wish", "WishList", "WishedAssociation", "WishedAttachment"]


@dataclass(frozen=True, slots=True)
class WishedAssociation:
    """A link that an item should have, to the item of a token."""

    type: str
    type_id: int
    target: str
    propagates: bool


@dataclass(frozen=True, slots=True)
class WishedAttachment:
    """A file that should hang on an item, and where it is read from."""

    name: str
    path: str
    size: int
    sha512: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What one item should be; keys carry the document's prefix.

    `owned` holds name and description too. `description_format` is how the
    server should read the description of a new item. `associations` are None if
    they are not ours.
    """

    key: str
    parent: str | None
    name: str
    place: str
    owned: Mapping[FieldId, Value]
    seeded: Mapping[FieldId, Value]
    is_protected: bool = False
    description_format: str = ""
    associations: tuple[WishedAssociation, ...] | None = None
    attachments: tuple[WishedAttachment, ...] = ()


@dataclass(frozen=True)
class WishList:
    """Every wish, parents first, and the fields that they speak of.

    An update wishes `common` of every item that is found, and `rows` of single
    ones, by number or key; only one that names keys has an identity field.
    """

    wishes: tuple[Wish, ...]
    shapes: Mapping[FieldId, FieldShape]
    identity: FieldShape | None
    by_key: Mapping[str, Wish] = field(default_factory=dict)
    common: Mapping[FieldId, Value] = field(default_factory=dict)
    rows: Mapping[ItemId | str, Row] = field(default_factory=dict)
    #: What marks an item that is gone from the document, and where it goes.
    obsolete: Mapping[FieldId, Value] = field(default_factory=dict)
    aside: str | None = None
    #: Fields that the document owned once, does not name, and wishes empty.
    released: frozenset[FieldId] = frozenset()

    @property
    def keeper(self) -> FieldShape:
        """The identity field of a document that must have one."""
        assert self.identity is not None  # noqa: S101 - a skeleton always has it
        return self.identity


@dataclass(frozen=True)
class Row:
    """What an update wishes of one item, and where the document says so."""

    place: str
    owned: Mapping[FieldId, Value]
