"""The values that a document may give a field: text, numbers, and pointers.

A pointer names somebody or something in the author's words; a directory turns
it into a number when the tracker is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    PlainValidator,
    StrictInt,
    StrictStr,
    ValidationError,
    WithJsonSchema,
)

from airflow_codebeamer.skeleton.wording import described

__all__ = [
    "POINTERS",
    "Closed",
    "DocumentValue",
    "Html",
    "ItemNumber",
    "Lookup",
    "Plain",
    "Pointer",
    "Ref",
    "Role",
    "User",
    "Value",
    "Wiki",
    "listed",
    "pointers_of",
    "read_pointer",
]


class Closed(BaseModel):
    """A part of a document: what it does not declare is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Wiki(Closed):
    """Text in the server's wiki markup."""

    wiki: StrictStr


class Html(Closed):
    """Text in HTML."""

    html: StrictStr


class Plain(Closed):
    """Text without markup, also where it looks like markup."""

    plain: StrictStr


class User(Closed):
    """An account by its log-in name."""

    user: StrictStr


class Role(Closed):
    """A role of the tracker's project by its name."""

    role: StrictStr


class Ref(Closed):
    """An item of this document by its key."""

    ref: StrictStr


class ItemNumber(Closed):
    """An item that exists, in whatever tracker, by its number."""

    item: StrictInt


class Lookup(Closed):
    """An item of another tracker by the whole key that it carries there."""

    tracker: StrictInt | StrictStr
    key: StrictStr


Pointer: TypeAlias = User | Role | Ref | ItemNumber | Lookup
DocumentValue: TypeAlias = (
    bool
    | int
    | float
    | str
    | Wiki
    | Html
    | Plain
    | Pointer
    | tuple[str | Pointer, ...]
    | None
)

_MARKED: dict[frozenset[str], type[Closed]] = {
    frozenset(model.model_fields): model
    for model in (Wiki, Html, Plain, User, Role, Ref, ItemNumber, Lookup)
}
#: How each pointer is written.
POINTERS: Mapping[str, type[Closed]] = {
    ", ".join(f"{name}: …" for name in model.model_fields): model
    for model in (User, Role, Ref, ItemNumber, Lookup)
}
_FORMS = ", ".join(f"{{{form}}}" for form in ("wiki: …", "html: …", "plain: …"))


def _value(value: Any) -> DocumentValue:
    """Read one field value."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Closed):
        return value  # type: ignore[return-value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        marked: DocumentValue = _marked(value)
        return marked
    if isinstance(value, list | tuple):
        return tuple(_entry(entry) for entry in value)
    raise ValueError(f"a value of type {type(value).__name__} has no place here")


def _marked(value: Mapping[Any, Any]) -> Any:
    model = _MARKED.get(frozenset(value))
    if model is None:
        points = ", ".join(f"{{{form}}}" for form in POINTERS)
        raise ValueError(f"a mapping must be one of {_FORMS}, {points}")
    try:
        return model(**value)
    except ValidationError:
        name, found = next(
            (name, found) for name, found in value.items() if not _fits(name, found)
        )
        wanted = {"item": "a number", "tracker": "a number or text"}.get(name, "text")
        raise ValueError(f"{name} must be {wanted}, found {described(found)}") from None


def read_pointer(value: Mapping[Any, Any]) -> Any:
    """Return what a mapping of a document points at, or the text that it marks.

    Raises:
        ValueError: it is neither.
    """
    return _marked(value)


def _fits(name: str, found: Any) -> bool:
    number = isinstance(found, int) and not isinstance(found, bool)
    text = isinstance(found, str)
    return {"item": number, "tracker": number or text}.get(name, text)


def _entry(entry: Any) -> str | Pointer:
    if isinstance(entry, Mapping):
        entry = _marked(entry)
    if isinstance(entry, str | User | Role | Ref | ItemNumber | Lookup):
        return entry
    raise ValueError(
        f"a list holds names of options or pointers like {{ref: …}}, found "
        f"{described(entry)}; put it in quotes"
    )


def pointers_of(value: DocumentValue) -> tuple[Pointer, ...]:
    """Return the pointers in a value."""
    entries = value if isinstance(value, tuple) else (value,)
    return tuple(
        entry
        for entry in entries
        if isinstance(entry, User | Role | Ref | ItemNumber | Lookup)
    )


def listed(value: Any) -> tuple[Any, ...]:
    """Return a value of a field with choices as the list that it stands for."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _value_schema() -> dict[str, Any]:
    texts = [_mapping_schema(model) for model in (Wiki, Html, Plain)]
    points = [_mapping_schema(model) for model in (User, Role, Ref, ItemNumber, Lookup)]
    simple = [{"type": kind} for kind in ("null", "boolean", "number", "string")]
    entries = {"type": "array", "items": {"anyOf": [{"type": "string"}, *points]}}
    return {"anyOf": [*simple, *texts, *points, entries]}


def _mapping_schema(model: type[Closed]) -> dict[str, Any]:
    schema = model.model_json_schema()
    schema.pop("title", None)
    return schema


Value = Annotated[
    DocumentValue, PlainValidator(_value), WithJsonSchema(_value_schema())
]
