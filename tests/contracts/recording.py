"""Recordings: what a live server answered, written by machine and read by tests.

Numbers, names and times belong to one server; each is replaced by a numbered
reference, the same one wherever it comes again. A digest over the rest tells
whether somebody put a hand on it.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

__all__ = ["EditedError", "References", "read", "write"]

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\S*")
_NAMED = ("name", "keyName", "firstName", "lastName", "email", "key")
_TEXTS = ("message", "resourceUri", "path", "queryString")
#: Fields with smaller numbers are every server's.
_OWN_FIELDS = 1000
_SALT = "written by the suite"


class EditedError(Exception):
    """A recording that is not as the suite wrote it."""


class References:
    """Replaces what differs between servers, in the order in which it appears."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, Any], str] = {}
        self._counts: dict[str, int] = {}

    def replace(self, value: Any, key: str = "", kind: str = "") -> Any:
        """Return a value with references for its numbers, names and times."""
        if isinstance(value, dict):
            tag = str(value.get("type", ""))
            return {
                name: self.replace(value[name], name, tag) for name in sorted(value)
            }
        if isinstance(value, list):
            return [self.replace(inner, key, kind) for inner in value]
        if type(value) is int and (key == "id" or key.endswith("Id")):
            return self._number(value, kind if key == "id" else _referred(key))
        if isinstance(value, str) and _TIME.fullmatch(value):
            return self._reference("time", value)
        if isinstance(value, str) and key in _NAMED and value:
            return self._reference("name", value)
        if isinstance(value, str) and key in _TEXTS:
            return self._text(value)
        return value

    def _number(self, value: int, kind: str) -> Any:
        """Two kinds of things may have one number here and two elsewhere."""
        if kind == "FieldReference" and value < _OWN_FIELDS:
            return value
        return self._reference(f"{kind.removesuffix('Reference')} id".strip(), value)

    def _reference(self, kind: str, value: Any) -> str:
        known = self._known.get((kind, value))
        if known is None:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            known = f"<{kind} {self._counts[kind]}>"
            self._known[kind, value] = known
        return known

    def _text(self, text: str) -> str:
        """Replace what is known already where a sentence or an address names it."""
        ordered = sorted(self._known.items(), key=lambda one: -len(str(one[0][1])))
        for (_, value), shown in ordered:
            text = re.sub(rf"(?<!\w){re.escape(str(value))}(?!\w)", shown, text)
        return re.sub(
            r"(?<=/)\d+(?=/|$)",
            lambda found: str(self._reference("id", int(found.group()))),
            text,
        )


def _referred(key: str) -> str:
    """Say what a parameter's number is the number of: `itemId` is an item's."""
    stem = key.removesuffix("Id")
    return {"item": "TrackerItem", "parentItem": "TrackerItem"}.get(
        stem, stem[:1].upper() + stem[1:]
    ) + "Reference"


def write(file: Path, *, release: str, date: str, exchanges: list[Any]) -> None:
    """Write a recording with its digest."""
    data = {"release": release, "date": date, "exchanges": exchanges}
    file.parent.mkdir(parents=True, exist_ok=True)
    made = {**data, "digest": _digest(data)}
    file.write_text(json.dumps(made, indent=1, sort_keys=True) + "\n")


def read(file: Path) -> dict[str, Any]:
    """Return a recording.

    Raises:
        EditedError: It is not as it was written.
    """
    try:
        data: dict[str, Any] = json.loads(file.read_text("utf-8"))
        digest = data.pop("digest")
    except (ValueError, KeyError) as error:
        raise EditedError(f"{file.name} is no recording; record it again") from error
    if digest != _digest(data):
        raise EditedError(f"{file.name} was edited by hand; record it again")
    return data


def _digest(data: dict[str, Any]) -> str:
    text = json.dumps(data, sort_keys=True) + _SALT
    return hashlib.sha256(text.encode()).hexdigest()
