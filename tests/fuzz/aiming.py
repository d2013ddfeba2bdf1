"""Aiming: generated requests are given numbers that exist, or most would be 404."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

#: How often a number is replaced by one that exists.
AIM = 0.85

_QUERIES = (
    "tracker.id IN (2002)",
    "project.id IN (101) AND name LIKE 'Park%' ORDER BY id DESC",
    "item.id = 10001 OR NOT (status = 'Draft')",
    "modifiedAt >= '2026-01-01' AND modifiedBy NOT IN (1)",
    "tracker.id IN (2001",
    "'",
)


class Aim:
    """Puts the numbers of a world where generated requests have random ones."""

    def __init__(self, world: Mapping[str, Any], seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311
        self._ids: dict[str, list[int]] = {
            kind: [thing["id"] for thing in things if "id" in thing]
            for kind, things in world.items()
            if isinstance(things, list) and things and isinstance(things[0], dict)
        }
        self._ids["permissions"] = list(range(28))
        self._fields = {
            known["id"]: known
            for tracker in world["trackers"]
            for known in tracker["schema"]
        }
        self._ids["fields"] = list(self._fields)
        self._ids["versions"] = self._ids["indexes"] = [0, 1, 2, 3]
        self._ids["pages"] = self._ids["sizes"] = [1, 2, 25, 500]
        self._ids["options"] = self._ids["types"] = [1, 2, 3, 4]

    def parameters(self, values: dict[str, Any] | None) -> None:
        """Aim the values of a path or a query."""
        for name, value in (values or {}).items():
            if values is not None and type(value) is int:
                values[name] = self._number(name, value)
            elif values is not None and name == "queryString":
                values[name] = self._text(value)

    def body(self, value: Any) -> Any:
        """Return a body whose references point at things that exist."""
        if isinstance(value, list):
            return [self.body(inner) for inner in value]
        if not isinstance(value, dict):
            return value
        made = {name: self.body(inner) for name, inner in value.items()}
        kind = value.get("type")
        for name, inner in made.items():
            if type(inner) is int:
                made[name] = self._number(_subject(name, kind), inner)
            elif name == "queryString":
                made[name] = self._text(inner)
        if str(kind).endswith("FieldValue") and type(made.get("fieldId")) is int:
            made["fieldId"] = self._field(str(kind), made["fieldId"])
        return made

    def _number(self, name: str, value: int) -> int:
        kind = _kind(name)
        known = self._ids.get(kind)
        if known and self._chance.random() < AIM:
            return self._chance.choice(known)
        return value

    def _text(self, value: Any) -> Any:
        if self._chance.random() < AIM:
            return self._chance.choice(_QUERIES)
        return value

    def _field(self, kind: str, value: int) -> int:
        fitting = [
            number
            for number, known in self._fields.items()
            if str(known.get("valueModel", "")).startswith(kind)
        ]
        if fitting and self._chance.random() < AIM:
            return self._chance.choice(fitting)
        return value


def _subject(name: str, kind: Any) -> str:
    """Say whose number an `id` is: that of the reference around it."""
    if name == "id" and isinstance(kind, str):
        return kind.removesuffix("Reference")
    return "item" if name == "id" else name


_KINDS = {
    "tracker": "trackers",
    "trackerItem": "items",
    "TrackerItem": "items",
    "item": "items",
    "user": "users",
    "project": "projects",
    "role": "roles",
    "group": "groups",
    "userGroup": "groups",
    "trackerPermission": "permissions",
    "field": "fields",
    "tableField": "fields",
    "version": "versions",
    "index": "indexes",
    "page": "pages",
    "pageSize": "sizes",
    "resultPageSize": "sizes",
    "choiceOption": "options",
    "fromStatus": "options",
    "parentItem": "items",
    "referenceItem": "items",
    "comment": "comments",
    "attachment": "attachments",
    "association": "associations",
    "baseline": "baselines",
    "associationType": "types",
}


def _kind(name: str) -> str:
    stem = name.removesuffix("Id")
    return _KINDS.get(stem[:1].lower() + stem[1:], "")
