"""FieldShape: one field of a tracker, and how its values are read and written.

Inside this room a value has one form whatever the field: text, number, truth
value, a date as text without zone, a sorted tuple of option numbers, or None for
"empty". The server's forms appear only here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, TypeAlias

from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.ids import FieldId
from airflow_codebeamer.models import FieldValue, Item, Reference
from airflow_codebeamer.skeleton.document import DocumentValue, Html, Plain, Wiki
from airflow_codebeamer.skeleton.wording import described, suggestion

__all__ = ["OPTION_REFERENCE", "FieldShape", "Kind", "Value", "is_same"]

Value: TypeAlias = bool | int | float | str | tuple[int, ...] | None

#: What the server calls a reference to an option of a choice field.
OPTION_REFERENCE = "ChoiceOptionReference"

#: Built-in properties that hold one reference; the others hold a list.
_SINGLE = frozenset({"formality", "priority", "releaseMethod", "status"})


class Kind(Enum):
    """What a field holds; the value is the type that a request must name."""

    TEXT = "TextFieldValue"
    URL = "UrlFieldValue"
    WIKI = "WikiTextFieldValue"
    INTEGER = "IntegerFieldValue"
    DECIMAL = "DecimalFieldValue"
    BOOL = "BoolFieldValue"
    DATE = "DateFieldValue"
    CHOICE = "ChoiceFieldValue"


_TEXTS = frozenset({Kind.TEXT, Kind.URL, Kind.WIKI})
#: Integer fields are 32 bits wide in the server's own description.
_INT32 = 2**31

_NUMBERS = frozenset({Kind.INTEGER, Kind.DECIMAL})


@dataclass(frozen=True)
class FieldShape:
    """A field that can be written; `item_property` is empty for custom fields.

    `low` and `high` bound a number, or the length of a text.
    """

    field_id: FieldId
    name: str
    kind: Kind
    item_property: str = ""
    is_multiple: bool = False
    options: tuple[tuple[int, str], ...] = ()
    low: float | None = None
    high: float | None = None

    def parse(self, value: DocumentValue, path: str) -> Value:
        """Turn a value of the document into ours.

        Raises:
            DocumentError: it does not fit the field, or names no option of it.
        """
        if value is None:
            return () if self.kind is Kind.CHOICE else None
        try:
            parsed = self._parse(value)
            self._check_size(parsed)
        except ValueError as error:
            raise DocumentError(path, str(error)) from None
        return parsed

    def read(self, item: Item) -> Value:
        """Return the value that an item, as the server sent it, has here."""
        if self.item_property:
            return self._ours(getattr(item, self.item_property, None))
        for found in item.custom_fields:
            if found.field_id == self.field_id:
                raw = found.values if found.values is not None else found.value
                return self._ours(raw)
        return () if self.kind is Kind.CHOICE else None

    def wire(self, value: Value) -> FieldValue:
        """Return the value as an update, or a create's custom field, needs it."""
        if self.kind is Kind.CHOICE:
            return FieldValue(
                field_id=self.field_id,
                name=self.name,
                type=self.kind.value,
                values=tuple(ref.request() for ref in self._references(value)),
            )
        if value is None and self.kind in _TEXTS:
            value = ""
        return FieldValue(
            field_id=self.field_id, name=self.name, type=self.kind.value, value=value
        )

    def property_json(self, value: Value) -> Any:
        """Return the value as the property of a create request."""
        if self.kind is not Kind.CHOICE:
            return value
        references = [ref.request() for ref in self._references(value)]
        if self.item_property in _SINGLE:
            return references[0] if references else None
        return references

    def show(self, value: Value) -> str:
        """Return the value as a person reads it."""
        if value is None or value in ((), ""):
            return "empty"
        if isinstance(value, tuple):
            names = dict(self.options)
            return ", ".join(repr(names.get(one, f"#{one}")) for one in value)
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
        )

    def _parse(self, value: DocumentValue) -> Value:
        match self.kind:
            case Kind.TEXT | Kind.URL:
                return _text(value)
            case Kind.WIKI:
                return self._wiki(value)
            case Kind.INTEGER | Kind.DECIMAL:
                return _number(value, self.kind)
            case Kind.BOOL:
                return _truth(value)
            case Kind.DATE:
                return _date(value)
            case Kind.CHOICE:
                return self._choice(value)

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
        names = dict(self.options)
        chosen = value if isinstance(value, tuple) else ()
        return [
            Reference(id=o, name=names.get(o, ""), type=OPTION_REFERENCE)
            for o in chosen
        ]

    def _wiki(self, value: DocumentValue) -> str:
        match value:
            case Wiki(wiki=text):
                return text
            case Html(html=text):
                # The server's own way to put HTML into a wiki field.
                return f"[{{Html\n\n{text}\n}}]"
            case Plain():
                raise ValueError(
                    "a wiki field takes {wiki: …} or {html: …}, {plain: …} only fits"
                    " the description and text fields"
                )
            case _:
                return _text(value)

    def _choice(self, value: DocumentValue) -> tuple[int, ...]:
        names = value if isinstance(value, tuple) else (value,)
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

    def _ours(self, raw: Any) -> Value:
        if self.kind is Kind.CHOICE:
            entries = raw if isinstance(raw, list | tuple) else [raw]
            return tuple(sorted({_number_of(e) for e in entries if e} - {0}))
        if raw is None or isinstance(raw, bool | int | float):
            return raw
        if self.kind is Kind.DATE:
            return _moment(str(raw)) or str(raw)
        return str(raw)


def is_same(shape: FieldShape, one: Value, other: Value) -> bool:
    """Whether two values are the same to a reader of the field.

    Line ends and trailing blanks of text do not count, numbers are compared as
    numbers.
    """
    if shape.kind in _TEXTS:
        return _folded(one) == _folded(other)
    if shape.kind in _NUMBERS and None not in (one, other):
        left, right = _float(one), _float(other)
        return left == right or math.isclose(left, right, rel_tol=1e-12)
    return one == other


def _text(value: DocumentValue) -> str:
    match value:
        case str():
            return value
        case Plain(plain=text):
            return text
        case Wiki() | Html():
            raise ValueError("a text field takes plain text, not markup")
        case _:
            raise ValueError(
                f"must be text, found {described(value)}; put it in quotes"
            )


def _number(value: DocumentValue, kind: Kind) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"must be a number, found {described(value)}")
    if not math.isfinite(value):
        raise ValueError(f"must be a number that can be written, found {value}")
    if kind is Kind.INTEGER and value != int(value):
        raise ValueError(f"must be a whole number, found {value}")
    if kind is Kind.INTEGER and not -_INT32 <= value < _INT32:
        raise ValueError(f"must be a whole number of 32 bits, found {value}")
    return int(value) if kind is Kind.INTEGER else value


def _truth(value: DocumentValue) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, found {described(value)}")
    return value


def _date(value: DocumentValue) -> str:
    if isinstance(value, str):
        try:
            if datetime.fromisoformat(value).tzinfo is not None:
                raise ValueError(
                    "leave the zone out: the server shows dates without one"
                )
        except ValueError as error:
            if "zone" in str(error):
                raise
        else:
            return str(_moment(value))
    raise ValueError(f"must be a date like 2026-01-31, found {described(value)}")


def _moment(text: str) -> str | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds")


def _number_of(entry: Any) -> int:
    return int(entry["id"]) if isinstance(entry, Mapping) else int(entry.id)


def _folded(value: Value) -> str:
    lines = str(value or "").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).rstrip("\n")


def _float(value: Value) -> float:
    return float(value) if isinstance(value, int | float | str) else math.nan
