"""Wish: a wanted item in the words of its tracker, names turned into numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.ids import FieldId
from airflow_codebeamer.models import TrackerField
from airflow_codebeamer.skeleton.document import (
    DocumentItem,
    DocumentValue,
    Html,
    Plain,
    Skeleton,
    Wiki,
)
from airflow_codebeamer.skeleton.fields import FieldShape, Kind, Value
from airflow_codebeamer.skeleton.reading import path_text
from airflow_codebeamer.skeleton.schema import Schema
from airflow_codebeamer.skeleton.tree import Wanted
from airflow_codebeamer.skeleton.wording import described

__all__ = ["Wish", "WishList", "resolve"]


@dataclass(frozen=True)
class Wish:
    """What one item should be; keys carry the document's prefix.

    `owned` holds name and description too. `description_format` is how the
    server should read the description of a new item.
    """

    key: str
    parent: str | None
    name: str
    place: str
    owned: Mapping[FieldId, Value]
    seeded: Mapping[FieldId, Value]
    is_protected: bool = False
    description_format: str = ""


@dataclass(frozen=True)
class WishList:
    """Every wish, parents first, and the fields that they speak of."""

    wishes: tuple[Wish, ...]
    shapes: Mapping[FieldId, FieldShape]
    identity: FieldShape
    by_key: Mapping[str, Wish] = field(default_factory=dict)


def resolve(document: Skeleton, fields: Iterable[TrackerField]) -> WishList:
    """Look every name of the document up in the tracker's schema.

    Raises:
        DocumentError: a field or option that is not there or cannot be written,
            a value that does not fit, an identity field that is not text.
    """
    return _Resolver(document, Schema(fields)).resolve()


class _Resolver:
    def __init__(self, document: Skeleton, schema: Schema) -> None:
        self._document = document
        self._schema = schema
        self._shapes: dict[FieldId, FieldShape] = {}
        self._known: dict[str, FieldShape] = {}

    def resolve(self) -> WishList:
        identity = self._identity()
        self._name = self._keep(self._schema.get_built_in("name", "items"))
        wishes = tuple(self._wish(wanted) for wanted in self._document.list_wanted())
        return WishList(
            wishes, self._shapes, identity, {wish.key: wish for wish in wishes}
        )

    def _identity(self) -> FieldShape:
        name, path = self._document.identity.field, "identity.field"
        shape = self._keep(self._schema.get(name, path))
        if shape.kind is not Kind.TEXT or shape.item_property:
            raise DocumentError(
                path, f"{name!r} must be a text field of the tracker's own to keep keys"
            )
        self._identity_id = shape.field_id
        return shape

    def _wish(self, wanted: Wanted) -> Wish:
        item = wanted.item
        prefix = self._document.identity.prefix
        owned: dict[FieldId, Value] = {self._name.field_id: item.name}
        if item.has_description:
            place = path_text((*wanted.place, "description"))
            shape = self._keep(self._schema.get_built_in("description", place))
            owned[shape.field_id] = _text_of(item.description, place)
        seeded = self._values(wanted, "seed", item.seed)
        owned |= self._values(wanted, "fields", self._with_defaults(item))
        if item.type is not None:
            place = path_text((*wanted.place, "type"))
            shape = self._keep(self._schema.get_built_in("categories", place))
            for name, values in (("fields", item.fields), ("seed", item.seed)):
                if shape.name in values:
                    raise DocumentError(
                        path_text((*wanted.place, name, shape.name)),
                        "is written as the item's property 'type' already",
                    )
            owned[shape.field_id] = shape.parse(item.type, place)
        return Wish(
            key=prefix + item.key,
            parent=None if wanted.parent is None else prefix + wanted.parent,
            name=item.name,
            place=path_text(wanted.place),
            owned=owned,
            seeded=seeded,
            is_protected=item.protect,
            description_format=_format_of(item),
        )

    def _with_defaults(self, item: DocumentItem) -> dict[str, DocumentValue]:
        defaults = {
            name: value
            for name, value in self._document.defaults.items()
            if name not in item.seed
        }
        return {**defaults, **item.fields}

    def _values(
        self, wanted: Wanted, under: str, values: Mapping[str, DocumentValue]
    ) -> dict[FieldId, Value]:
        found: dict[FieldId, Value] = {}
        for name, value in values.items():
            own = name in getattr(wanted.item, under)
            path = path_text(
                (*wanted.place, under, name) if own else ("defaults", name)
            )
            shape = self._known.get(name) or self._keep(self._schema.get(name, path))
            self._known[name] = shape
            if shape.field_id == self._identity_id:
                raise DocumentError(path, "is the identity field, which keeps the key")
            found[shape.field_id] = shape.parse(value, path)
        return found

    def _keep(self, shape: FieldShape) -> FieldShape:
        self._shapes[shape.field_id] = shape
        return shape


def _text_of(value: DocumentValue, place: str) -> Value:
    match value:
        case None | str():
            return value
        case Wiki(wiki=text) | Html(html=text) | Plain(plain=text):
            return text
        case _:
            raise DocumentError(
                place, f"must be text, found {described(value)}; put it in quotes"
            )


def _format_of(item: DocumentItem) -> str:
    match item.description:
        case Wiki():
            return "Wiki"
        case Html():
            return "Html"
        case None:
            return ""
        case _:
            return "PlainText"
