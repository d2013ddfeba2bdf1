"""Fields: what a query can ask for, of which sort it is, and how it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_codebeamer.emulator.cbql.moments import normalized
from airflow_codebeamer.emulator.values import STATUS
from airflow_codebeamer.emulator.world import Item, World

__all__ = ["SORTS", "Field", "Wanted", "find_field"]

EQUAL = frozenset(("=", "!="))
ORDERED = EQUAL | {"<", "<=", ">", ">=", "BETWEEN"}
SORTS: dict[str, frozenset[str]] = {
    "number": ORDERED | {"IN"},
    "date": ORDERED,
    "text": EQUAL | {"IN", "LIKE"},
    "long text": frozenset(("LIKE",)),
    "names": EQUAL | {"IN"},
    "bool": EQUAL,
}
"""The operators of each sort of field."""

_MODELS = {
    "IntegerFieldValue": "number",
    "DecimalFieldValue": "number",
    "DurationFieldValue": "number",
    "DateFieldValue": "date",
    "TextFieldValue": "text",
    "UrlFieldValue": "text",
    "WikiTextFieldValue": "long text",
    "BoolFieldValue": "bool",
    "ChoiceFieldValue": "names",
}
_PRIORITY, _ASSIGNED = 2, 5
Reader = Callable[[Item], Any]


@dataclass(frozen=True)
class Wanted:
    """A field as a query names it; a quoted name is never a built-in field."""

    name: str
    quoted: bool = False


@dataclass(frozen=True)
class Field:
    """A field that was found: its sort, and how it is read from an item."""

    sort: str
    read: Reader


def _entries(number: int, kind: str = "") -> Callable[[World], Reader]:
    """Read ids and names of the references in a field, of one kind if given."""

    def read(item: Item) -> tuple[Any, ...]:
        return tuple(
            known
            for one in item.values.get(number) or ()
            if not kind or one["type"] == kind
            for known in (one["id"], one["name"])
        )

    return lambda _: read


def _person(attribute: str) -> Callable[[World], Reader]:
    def of(world: World) -> Reader:
        def read(item: Item) -> tuple[Any, ...]:
            number = getattr(item, attribute)
            user = world.users.get(number)
            return (number,) if user is None else (number, user.name)

        return read

    return of


def _project(world: World) -> Reader:
    return lambda item: world.trackers[item.tracker].project


_BUILT_IN: dict[str, tuple[str, Callable[[World], Reader]]] = {
    "project.id": ("number", _project),
    "tracker.id": ("number", lambda _: lambda item: item.tracker),
    "parent.id": ("number", lambda _: lambda item: item.parent or 0),
    "item.id": ("number", lambda _: lambda item: item.id),
    "id": ("number", lambda _: lambda item: item.id),
    "name": ("text", lambda _: lambda item: item.name),
    "summary": ("text", lambda _: lambda item: item.name),
    "modifiedat": ("date", lambda _: lambda item: item.modified_at),
    "createdat": ("date", lambda _: lambda item: item.created_at),
    "submittedat": ("date", lambda _: lambda item: item.created_at),
    "status": ("names", _entries(STATUS)),
    "priority": ("names", _entries(_PRIORITY)),
    "assignedto": ("names", _entries(_ASSIGNED, "UserReference")),
    "assignedtorole": ("names", _entries(_ASSIGNED, "RoleReference")),
    "modifiedby": ("names", _person("modified_by")),
    "createdby": ("names", _person("created_by")),
    "submittedby": ("names", _person("created_by")),
}


def find_field(world: World, wanted: Wanted) -> Field | None:
    """Find a built-in field, or one that trackers have under this name; else None."""
    if not wanted.quoted and wanted.name.lower() in _BUILT_IN:
        sort, reader = _BUILT_IN[wanted.name.lower()]
        return Field(sort, reader(world))
    name, only = wanted.name, 0
    prefix, dot, rest = name.partition(".")
    if dot and prefix.isascii() and prefix.isdigit() and len(prefix) < 10:
        name, only = rest, int(prefix)
    numbers: dict[int, int] = {}
    sorts: set[str] = set()
    for tracker in world.trackers.values():
        if only and tracker.id != only:
            continue
        for known in tracker.schema:
            if known["name"] == name and not _is_looked_after(known):
                numbers[tracker.id] = known["id"]
                sorts.add(_MODELS.get(known["valueModel"].partition("<")[0], ""))
    found = sorts.pop() if len(sorts) == 1 else ""
    return Field(found, _custom(numbers, found)) if found else None


def _is_looked_after(known: dict[str, Any]) -> bool:
    """Tell whether a field is kept apart from the values of items."""
    return known.get("trackerItemField") in (
        "id",
        "tracker",
        "createdAt",
        "createdBy",
        "modifiedAt",
        "modifiedBy",
        "parent",
    )


def _custom(numbers: dict[int, int], sort: str) -> Reader:
    def read(item: Item) -> Any:
        number = numbers.get(item.tracker)
        kept = None if number is None else item.values.get(number)
        if sort == "names":
            return tuple(
                known for one in kept or () for known in (one["id"], one.get("name"))
            )
        if sort == "date" and kept is not None:
            return normalized(kept)
        return kept

    return read
