"""FieldShape: one field of a tracker, and how its values are read and written.

Inside this room a value has one form whatever the field: text, number, truth
value, a date as text without zone, a sorted tuple of option numbers or of tokens,
or None for "empty". A table is a tuple of rows, a row a tuple of one value for each
of its columns. The server's forms appear only here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.ids import FieldId
from airflow_codebeamer.models import FieldValue, Item, Reference
from airflow_codebeamer.skeleton.kinds import FORMS, LISTS, NUMBERS, TEXTS, Kind
from airflow_codebeamer.skeleton.scalars import (
    date_of,
    folded,
    moment_of,
    number_of,
    same_number,
    text_of,
    truth_of,
    wiki_of,
)
from airflow_codebeamer.skeleton.tables import cells_of, show_rows
from airflow_codebeamer.skeleton.tokens import (
    Directory,
    key_of,
    kind_of,
    reference_of,
    token_of,
)
from airflow_codebeamer.skeleton.values import DocumentValue, listed, pointers_of
from airflow_codebeamer.skeleton.wording import described, suggestion

__all__ = ["OPTION_REFERENCE", "FieldShape", "Value", "is_same"]

Value: TypeAlias = bool | int | float | str | tuple[Any, ...] | None

#: What the server calls a reference to an option of a choice field.
OPTION_REFERENCE = "ChoiceOptionReference"

#: Built-in properties that hold one reference; the others hold a list.
_SINGLE = frozenset({"formality", "priority", "releaseMethod", "status"})


@dataclass(frozen=True)
class FieldShape:
    """A field that can be written; `item_property` is empty for custom fields.

    `low` and `high` bound a number, or the length of a text; `refers` names the
    kinds of things that a reference may point at. `columns` are those of a table
    that are not hidden: what is hidden belongs to the server and is never sent.
    """

    field_id: FieldId
    name: str
    kind: Kind
    item_property: str = ""
    is_multiple: bool = False
    options: tuple[tuple[int, str], ...] = ()
    low: float | None = None
    high: float | None = None
    refers: tuple[str, ...] = ()
    columns: tuple[FieldShape, ...] = ()

    @property
    def empty(self) -> Value:
        """What an empty field holds."""
        return () if self.kind in LISTS else None

    @property
    def is_status(self) -> bool:
        """Whether a workflow decides on its values."""
        return self.item_property == "status"

    def parse(
        self, value: DocumentValue, path: str, directory: Directory | None = None
    ) -> Value:
        """Turn a value of the document into ours.

        Raises:
            DocumentError: it does not fit the field, or names no option of it.
        """
        if value is None:
            return self.empty
        try:
            parsed = self._parse(value, directory)
            self._check_size(parsed)
        except ValueError as error:
            raise DocumentError(path, str(error)) from None
        return parsed

    def read(self, item: Item) -> Value:
        """Return the value that an item, as the server sent it, has here."""
        if self.item_property:
            return self.ours(getattr(item, self.item_property, None))
        for found in item.custom_fields:
            if found.field_id == self.field_id:
                raw = found.values if found.values is not None else found.value
                return self.ours(raw)
        return self.empty

    def read_json(
        self, raw: Mapping[str, Any], customs: Mapping[Any, Mapping[str, Any]]
    ) -> Value:
        """Return the same from an item's JSON, its custom fields by number."""
        if self.item_property:
            return self.ours(raw.get(self.item_property))
        found = customs.get(self.field_id)
        if found is None:
            return self.empty
        values = found.get("values")
        return self.ours(values if values is not None else found.get("value"))

    def wire(self, value: Value) -> FieldValue:
        """Return the value as an update, or a create's custom field, needs it."""
        if self.kind is Kind.TABLE:
            return FieldValue(
                field_id=self.field_id,
                name=self.name,
                type=self.kind.wire_type,
                values=tuple(self._wire_row(row) for row in self._rows(value)),
            )
        if self.kind in LISTS:
            return FieldValue(
                field_id=self.field_id,
                name=self.name,
                type=self.kind.wire_type,
                values=tuple(ref.request() for ref in self._references(value)),
            )
        if value is None and self.kind in TEXTS:
            value = ""
        return FieldValue(
            field_id=self.field_id,
            name=self.name,
            type=self.kind.wire_type,
            value=value,
        )

    def property_json(self, value: Value) -> Any:
        """Return the value as the property of a create request."""
        if self.kind not in LISTS:
            return value
        references = [ref.request() for ref in self._references(value)]
        if self.item_property in _SINGLE:
            return references[0] if references else None
        return references

    def show(self, value: Value) -> str:
        """Return the value as a person reads it."""
        if value is None or value in ((), ""):
            return "empty"
        if self.kind is Kind.TABLE:
            return show_rows(self.columns, self._rows(value))
        if isinstance(value, tuple):
            return ", ".join(self._named(one) for one in value)
        text = repr(value)
        return text if len(text) <= 80 else text[:77] + "…'"

    def to_json(self) -> dict[str, Any]:
        """Return what a journal has to keep to read and write this field again."""
        return {
            "id": self.field_id,
            "name": self.name,
            "kind": self.kind.value,
            "property": self.item_property,
            "multiple": self.is_multiple,
            "options": [list(option) for option in self.options],
            "refers": list(self.refers),
            "columns": [column.to_json() for column in self.columns],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FieldShape:
        """Return the field that `to_json` described."""
        return cls(
            FieldId(data["id"]),
            data["name"],
            Kind(data["kind"]),
            data["property"],
            data["multiple"],
            tuple((number, name) for number, name in data["options"]),
            refers=tuple(data.get("refers", ())),
            columns=tuple(map(cls.from_json, data.get("columns", ()))),
        )

    def _parse(self, value: DocumentValue, directory: Directory | None) -> Value:
        if self.kind is not Kind.REFERENCE and pointers_of(value):
            raise ValueError(f"{self.name!r} does not refer to anything or anybody")
        match self.kind:
            case Kind.TEXT | Kind.URL:
                return text_of(value)
            case Kind.WIKI:
                return wiki_of(value)
            case Kind.INTEGER | Kind.DECIMAL:
                return number_of(value, is_whole=self.kind is Kind.INTEGER)
            case Kind.BOOL:
                return truth_of(value)
            case Kind.DATE:
                return date_of(value)
            case Kind.CHOICE:
                return self._choice(value)
            case Kind.REFERENCE:
                return self._tokens(value, directory)
            case Kind.TABLE:
                raise ValueError(
                    f"{self.name!r} is a table; write its rows under `tables`"
                )

    def _rows(self, value: Value) -> tuple[tuple[Value, ...], ...]:
        return value if isinstance(value, tuple) else ()

    def _wire_row(self, row: tuple[Value, ...]) -> tuple[FieldValue, ...]:
        cells = zip(self.columns, row, strict=True)
        return tuple(column.wire(cell) for column, cell in cells)

    def _check_size(self, value: Value) -> None:
        if isinstance(value, str):
            size, what = float(len(value)), f"a text of {len(value)} characters"
        elif isinstance(value, int | float) and not isinstance(value, bool):
            size, what = float(value), str(value)
        else:
            return
        if self.low is not None and size < self.low:
            raise ValueError(f"{self.name!r} takes no less than {self.low:g}: {what}")
        if self.high is not None and size > self.high:
            raise ValueError(f"{self.name!r} takes no more than {self.high:g}: {what}")

    def _references(self, value: Value) -> list[Reference]:
        chosen = value if isinstance(value, tuple) else ()
        if self.kind is Kind.REFERENCE:
            return [reference_of(str(one)) for one in chosen]
        names = dict(self.options)
        return [
            Reference(id=int(o), name=names.get(int(o), ""), type=OPTION_REFERENCE)
            for o in chosen
        ]

    def _named(self, one: int | str) -> str:
        if isinstance(one, str):
            return key_of(one) or one.replace(":", " ")
        return repr(dict(self.options).get(one, f"#{one}"))

    def _tokens(
        self, value: DocumentValue, directory: Directory | None
    ) -> tuple[str, ...]:
        pointers, entries = pointers_of(value), listed(value)
        if directory is None or len(pointers) != len(entries):
            forms = ", ".join(FORMS[kind] for kind in self.refers if kind in FORMS)
            wrong = next((one for one in entries if one not in pointers), value)
            raise ValueError(
                f"{self.name!r} takes {forms or 'nothing'}, found {described(wrong)}"
            )
        if len(entries) > 1 and not self.is_multiple:
            raise ValueError(f"{self.name!r} takes one reference, found {len(entries)}")
        tokens = {directory.find(pointer) for pointer in pointers}
        for token in tokens:
            kind = kind_of(token)
            if kind not in self.refers:
                raise ValueError(f"{self.name!r} cannot point at a {kind}")
        return tuple(sorted(tokens))

    def _choice(self, value: DocumentValue) -> tuple[int, ...]:
        names = listed(value)
        if len(names) > 1 and not self.is_multiple:
            raise ValueError(f"{self.name!r} takes one option, found {len(names)}")
        return tuple(sorted({self._option(name) for name in names} - {0}))

    def _option(self, name: DocumentValue) -> int:
        if not isinstance(name, str):
            raise ValueError(
                f"{self.name!r} takes the name of an option, found {described(name)};"
                " put it in quotes"
            )
        found = [number for number, option in self.options if option == name]
        if len(found) > 1:
            raise ValueError(
                f"{self.name!r} has {len(found)} options of the name {name!r}, so it"
                " cannot be chosen by name"
            )
        if not found:
            known = [option for _, option in self.options]
            raise ValueError(
                f"{self.name!r} has no option {name!r}, only {', '.join(known[:20])}"
                f"{suggestion(name, known)}"
            )
        return found[0]

    def ours(self, raw: Any) -> Value:
        """Return a value as the server sent it in our form."""
        if self.kind is Kind.TABLE:
            return tuple(cells_of(self.columns, row) for row in raw or ())
        if self.kind in LISTS:
            entries = [e for e in (listed(raw) if raw else ()) if e]
            if self.kind is Kind.REFERENCE:
                return tuple(sorted({token_of(entry) for entry in entries}))
            return tuple(sorted({_number_of(entry) for entry in entries} - {0}))
        if raw is None or isinstance(raw, bool | int | float):
            return raw
        if self.kind is Kind.DATE:
            return moment_of(str(raw)) or str(raw)
        return str(raw)


def is_same(shape: FieldShape, one: Value, other: Value) -> bool:
    """Whether two values are the same to a reader of the field.

    Line ends and trailing blanks of text do not count, numbers are compared as
    numbers. In a cell "not true" and "nothing" are the same.
    """
    if shape.kind is Kind.TABLE and isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(
            is_same(column, left, right)
            or (column.kind is Kind.BOOL and not left and not right)
            for row, beside in zip(one, other, strict=True)
            for column, left, right in zip(shape.columns, row, beside, strict=True)
        )
    if shape.kind in TEXTS:
        return folded(one) == folded(other)
    if shape.kind in NUMBERS and None not in (one, other):
        return same_number(one, other)
    return one == other


def _number_of(entry: Any) -> int:
    return int(entry["id"]) if isinstance(entry, Mapping) else int(entry.id)
