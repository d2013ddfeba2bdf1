"""From a document's words to wishes in the words of its tracker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.ids import FieldId, ItemId
from airflow_codebeamer.models import TrackerField
from airflow_codebeamer.skeleton.document import (
    Document,
    DocumentItem,
    FieldUpdate,
    Skeleton,
)
from airflow_codebeamer.skeleton.fields import FieldShape, Value
from airflow_codebeamer.skeleton.kinds import Kind
from airflow_codebeamer.skeleton.local_files import LocalFiles
from airflow_codebeamer.skeleton.reading import Step, path_text
from airflow_codebeamer.skeleton.schema import Schema
from airflow_codebeamer.skeleton.tables import parse_rows, rows_of_steps
from airflow_codebeamer.skeleton.tokens import Directory
from airflow_codebeamer.skeleton.tree import Wanted
from airflow_codebeamer.skeleton.values import DocumentValue, Html, Plain, Wiki
from airflow_codebeamer.skeleton.wishes import Row, Wish, WishedAssociation, WishList
from airflow_codebeamer.skeleton.wording import described, suggestion

__all__ = ["resolve"]


def resolve(
    document: Document,
    fields: Iterable[TrackerField],
    directory: Directory | None = None,
) -> WishList:
    """Look every name of the document up in the tracker's schema.

    `directory` is asked for what the document points at.

    Raises:
        DocumentError: a field or option that is not there or cannot be written,
            a value that does not fit, an identity field that is not text.
    """
    schema = Schema(fields)
    if isinstance(document, FieldUpdate):
        return _UpdateResolver(document, schema, directory).resolve()
    return _Resolver(document, schema, directory).resolve()


_NOTHING: Mapping[FieldId, Value] = {}


class _Fields:
    """The fields that a document names, found once each."""

    def __init__(self, schema: Schema, directory: Directory | None) -> None:
        self._schema = schema
        self._directory = directory
        self._shapes: dict[FieldId, FieldShape] = {}
        self._known: dict[str, FieldShape] = {}
        self._identity_id: FieldId | None = None

    def _keeper(self, name: str) -> FieldShape:
        path = "identity.field"
        shape = self._keep(self._schema.get(name, path))
        if shape.kind is not Kind.TEXT or shape.item_property:
            raise DocumentError(
                path, f"{name!r} must be a text field of the tracker's own to keep keys"
            )
        self._identity_id = shape.field_id
        return shape

    def _parse(
        self, name: str, value: DocumentValue, path: str, *, is_update: bool = False
    ) -> tuple[FieldId, Value]:
        shape = self._known.get(name) or self._keep(
            self._schema.get(name, path, is_update=is_update)
        )
        self._known[name] = shape
        if shape.field_id == self._identity_id:
            raise DocumentError(path, "is the identity field, which keeps the key")
        return shape.field_id, shape.parse(value, path, self._directory)

    def _keep(self, shape: FieldShape) -> FieldShape:
        self._shapes[shape.field_id] = shape
        return shape


class _UpdateResolver(_Fields):
    def __init__(
        self, document: FieldUpdate, schema: Schema, directory: Directory | None
    ) -> None:
        super().__init__(schema, directory)
        self._document = document

    def resolve(self) -> WishList:
        document, identity = self._document, None
        if any(row.key is not None for row in document.rows):
            identity = self._keeper(document.identity.field)
        common = self._values(document.set, ("set",))
        rows: dict[ItemId | str, Row] = {}
        for index, row in enumerate(document.rows):
            place = ("rows", index)
            owned = common | self._values(row.fields, (*place, "fields"))
            name: ItemId | str = (
                ItemId(row.item)
                if row.item is not None
                else f"{document.identity.prefix}{row.key}"
            )
            rows[name] = Row(path_text(place), owned)
        return WishList((), self._shapes, identity, common=common, rows=rows)

    def _values(
        self, values: Mapping[str, DocumentValue], place: tuple[Step, ...]
    ) -> dict[FieldId, Value]:
        return dict(
            self._parse(name, value, path_text((*place, name)), is_update=True)
            for name, value in values.items()
        )


class _Resolver(_Fields):
    def __init__(
        self, document: Skeleton, schema: Schema, directory: Directory | None
    ) -> None:
        super().__init__(schema, directory)
        self._document = document

    def resolve(self) -> WishList:
        identity = self._keeper(self._document.identity.field)
        self._files = LocalFiles(self._document.policy.largest_attachment_mib)
        self._name = self._keep(self._schema.get_built_in("name", "items"))
        wishes = tuple(self._wish(wanted) for wanted in self._document.list_wanted())
        by_key = {wish.key: wish for wish in wishes}
        obsolete, aside = self._prune(by_key)
        return WishList(
            wishes, self._shapes, identity, by_key, obsolete=obsolete, aside=aside
        )

    def _prune(
        self, wishes: Mapping[str, Wish]
    ) -> tuple[dict[FieldId, Value], str | None]:
        policy, place = self._document.policy.prune, ("policy", "prune")
        if policy.mode != "obsolete":
            if policy.set or policy.move_under is not None:
                raise DocumentError(
                    path_text((*place, "mode")), "only 'obsolete' marks and moves"
                )
            return {}, None
        if not policy.set and policy.move_under is None:
            raise DocumentError(
                path_text((*place, "set")), "say what marks an obsolete item"
            )
        aside = policy.move_under
        if aside is not None:
            aside = self._document.identity.prefix + aside
            if aside not in wishes:
                raise DocumentError(
                    path_text((*place, "move_under")),
                    f"no item has the key {policy.move_under!r}"
                    f"{suggestion(aside, wishes)}",
                )
        marks = dict(
            self._parse(name, value, path_text((*place, "set", name)))
            for name, value in policy.set.items()
        )
        return marks, aside

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
        owned |= self._tables(wanted)
        return Wish(
            key=prefix + item.key,
            parent=None if wanted.parent is None else prefix + wanted.parent,
            name=item.name,
            place=path_text(wanted.place),
            owned=owned,
            seeded=seeded or _NOTHING,
            is_protected=item.protect,
            description_format=_format_of(item),
            associations=self._associations(wanted),
            attachments=self._files.wish(
                item.attachments, (*wanted.place, "attachments")
            ),
        )

    def _associations(self, wanted: Wanted) -> tuple[WishedAssociation, ...] | None:
        given, directory = wanted.item.associations, self._directory
        if given is None or directory is None:
            return None
        found: dict[tuple[int, str], WishedAssociation] = {}
        for index, one in enumerate(given):
            place = (*wanted.place, "associations", index)
            try:
                type_id = directory.find_association_type(one.type)
            except ValueError as error:
                raise DocumentError(path_text((*place, "type")), str(error)) from None
            try:
                token = directory.find(one.to)
            except ValueError as error:
                raise DocumentError(path_text((*place, "to")), str(error)) from None
            if (type_id, token) in found:
                raise DocumentError(path_text(place), "says what another says already")
            found[type_id, token] = WishedAssociation(
                one.type, type_id, token, one.propagate_suspects
            )
        return tuple(found.values())

    def _tables(self, wanted: Wanted) -> dict[FieldId, Value]:
        """Return the rows of an item's tables, test steps among them."""
        found: dict[FieldId, Value] = {}
        for name, rows in wanted.item.tables.items():
            place = (*wanted.place, "tables", name)
            shape = self._keep(self._schema.get_table(name, path_text(place)))
            found[shape.field_id] = parse_rows(shape, rows, place, self._directory)
        if wanted.item.steps is not None:
            place = (*wanted.place, "steps")
            shape = self._keep(self._schema.get_steps(path_text(place)))
            if shape.field_id in found:
                raise DocumentError(
                    path_text(place), f"are the table {shape.name!r}; keep one of them"
                )
            steps = rows_of_steps(wanted.item.steps)
            found[shape.field_id] = parse_rows(shape, steps, place, self._directory)
        return found

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
            field_id, parsed = self._parse(name, value, path)
            found[field_id] = parsed
        return found


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
