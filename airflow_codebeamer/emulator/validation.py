"""Shapes compiled once into functions that find the first thing wrong.

The same shapes check what comes in and what goes out, with two differences: a
request may send null for "nothing", and a request's references and values must
carry the `type` that tells them apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

__all__ = ["A_FILE", "Check", "Shapes", "problem_with_text"]

Check = Callable[[Any], str | None]


class _File(str):
    """What stands for a file of a form where shapes know texts only."""


A_FILE = _File("a file")
"""The one value that a text of format binary may have; no other text may."""

_LIMITS = {"int32": 2**31, "int64": 2**63}
_DATE = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:?\d{2})?\Z"
)
_NAMES = {bool: "boolean", int: "number", float: "number", str: "string"}
_NAMES |= {list: "array", dict: "object"}


class Shapes:
    """The contract's shapes, ready to check requests or answers."""

    def __init__(self, shapes: dict[str, Any], *, nullable: bool) -> None:
        self._shapes = shapes
        self._nullable = nullable
        self._done: dict[str, Check] = {}

    def check(self, schema: dict[str, Any]) -> Check:
        """Return the function for one schema; it answers None or the problem."""
        if "$ref" in schema:
            return self._named(schema["$ref"])
        if "tagged" in schema:
            return self._tagged(schema["tagged"])
        kind = schema.get("type")
        if kind == "object":
            return self._object(schema)
        if kind == "array":
            return _array(self.check(schema["items"]))
        return _scalar(schema)

    def _named(self, name: str) -> Check:
        done = self._done.get(name)
        if done is not None:
            return done
        # Shapes may contain themselves: hand out a door before the room is built.
        self._done[name] = lambda value: self._done[name](value)
        self._done[name] = self.check(self._shapes[name])
        return self._done[name]

    def _tagged(self, names: list[str]) -> Check:
        checks = {name: self._named(name) for name in names}

        def check(value: Any) -> str | None:
            if value.__class__ is not dict:
                return _wrong("object", value)
            tag = value.get("type")
            if tag is None:
                return 'Missing type id property "type"'
            chosen = checks.get(tag) if isinstance(tag, str) else None
            if chosen is None:
                return f'Could not resolve type id "{tag}"'
            return chosen(value)

        return check

    def _object(self, schema: dict[str, Any]) -> Check:
        checks = {
            name: self.check(inner)
            for name, inner in schema.get("properties", {}).items()
        }
        required = tuple(schema.get("required", ()))
        nullable = self._nullable

        def check(value: Any) -> str | None:
            if value.__class__ is not dict:
                return _wrong("object", value)
            for name, inner in value.items():
                known = checks.get(name)
                if known is None:
                    return f'Unrecognized field "{name}"'
                if inner is None and nullable:
                    continue
                problem = known(inner)
                if problem is not None:
                    return _at(problem, name)
            for name in required:
                if name not in value:
                    return f'Missing required field "{name}"'
            return None

        return check


def problem_with_text(schema: dict[str, Any], text: str) -> tuple[Any, str | None]:
    """Read one path or query value; return it and the problem, if any."""
    value: Any = text
    kind = schema.get("type")
    if kind == "integer":
        if not re.fullmatch(r"-?\d{1,18}", text):
            return None, _wrong("integer", text)
        value = int(text)
    elif kind == "boolean":
        if text not in ("true", "false"):
            return None, _wrong("boolean", text)
        value = text == "true"
    return value, _scalar(schema)(value)


def _at(problem: str, where: str) -> str:
    """Put one more step in front of the place that a problem names."""
    if problem.endswith(")") and " (at " in problem:
        text, _, place = problem[:-1].rpartition(" (at ")
        joint = "" if place.startswith("[") else "."
        return f"{text} (at {where}{joint}{place})"
    return f"{problem} (at {where})"


def _wrong(wanted: str, value: Any) -> str:
    shown = repr(value) if isinstance(value, str | int | float | bool) else ""
    name = _NAMES.get(type(value), "null" if value is None else type(value).__name__)
    return f"Cannot deserialize value of type {wanted} from {name} {shown}".rstrip()


def _array(entry: Check) -> Check:
    def check(value: Any) -> str | None:
        if value.__class__ is not list:
            return _wrong("array", value)
        for index, inner in enumerate(value):
            problem = entry(inner)
            if problem is not None:
                return _at(problem, f"[{index}]")
        return None

    return check


def _scalar(schema: dict[str, Any]) -> Check:
    kind = schema.get("type")
    if kind == "string":
        return _string(schema)
    if kind == "integer":
        return _integer(schema)
    if kind == "number":
        return lambda value: (
            None if value.__class__ in (int, float) else _wrong("number", value)
        )
    return lambda value: None if value.__class__ is bool else _wrong("boolean", value)


def _string(schema: dict[str, Any]) -> Check:
    allowed = frozenset(schema.get("enum", ()))
    is_date = schema.get("format") == "date-time"
    shortest = schema.get("minLength", 0)
    if schema.get("format") == "binary":
        return lambda value: None if value is A_FILE else _wrong("file", value)

    def check(value: Any) -> str | None:
        if value.__class__ is not str:
            return _wrong("string", value)
        if allowed and value not in allowed:
            return f'"{value}" is not one of {", ".join(sorted(allowed))}'
        if len(value) < shortest:
            return f"Text is shorter than {shortest}"
        if is_date and not _DATE.match(value):
            return _wrong("date-time", value)
        return None

    return check


def _integer(schema: dict[str, Any]) -> Check:
    limit = _LIMITS.get(schema.get("format", ""), 2**63)
    low = schema.get("minimum", -limit)
    high = schema.get("maximum", limit - 1)

    def check(value: Any) -> str | None:
        if value.__class__ is not int:
            return _wrong("integer", value)
        if not low <= value <= high:
            return f"{value} is not between {low} and {high}"
        return None

    return check
