"""Meaning: a tree of a query made a function over items, and an order of them."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_codebeamer.emulator.cbql.fields import SORTS, Field, Wanted, find_field
from airflow_codebeamer.emulator.cbql.grammar import (
    Both,
    Comparison,
    Either,
    Exists,
    Node,
    Not,
    Tree,
    read,
)
from airflow_codebeamer.emulator.cbql.moments import Moment, absolute
from airflow_codebeamer.emulator.cbql.tokens import not_understood
from airflow_codebeamer.emulator.world import Item, World

__all__ = ["Query", "parse"]

Test = Callable[[Item], bool]
Visible = Callable[[], Iterable[Item]]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Query:
    """A query that was read; it means something in a world, at a time."""

    tree: Tree

    def test(self, world: World, now: datetime, visible: Visible) -> Test:
        """Return the function that tells whether an item fits.

        `visible` yields the items that a subquery may find.

        Raises:
            RefusedError: A field or an operator is not known (501), or a date
                is none (400).
        """
        for order in self.tree.orders:
            _found(self.tree, world, order.wanted)
        return _Scope(self.tree, world, now, visible).test(self.tree.condition)

    @functools.cached_property
    def is_timeless(self) -> bool:
        """Tell whether the query finds the same at any time."""
        return not _has_moment(self.tree.condition)

    def sorted(self, world: World, items: list[Item]) -> list[Item]:
        """Return items in the order that the query asks for, by id where it does not.

        Items without a value come first, and last where the order descends.
        """
        items = sorted(items, key=operator.attrgetter("id"))
        for order in reversed(self.tree.orders):
            field = _found(self.tree, world, order.wanted)
            items.sort(key=_key(field), reverse=order.descending)
        return items


@functools.lru_cache(maxsize=256)
def parse(text: str) -> Query:
    """Read a query.

    Raises:
        RefusedError: 501 for what is not understood, 400 for what cannot be read.
    """
    return Query(read(text))


def _has_moment(node: Node) -> bool:
    if isinstance(node, Comparison):
        return any(isinstance(value, Moment) for value in node.values)
    if isinstance(node, Not | Exists):
        return _has_moment(node.part)
    return any(_has_moment(part) for part in node.parts)


def _found(tree: Tree, world: World, wanted: Wanted) -> Field:
    field = find_field(world, wanted)
    if field is None:
        raise not_understood(tree.query, f"the field {wanted.name}")
    return field


def _key(field: Field) -> Callable[[Item], Any]:
    def key(item: Item) -> Any:
        value = field.read(item)
        if field.sort == "names":
            return tuple(str(name) for name in value[1::2])
        return (value is not None, value if value is not None else 0)

    return key


@dataclass(frozen=True)
class _Scope:
    """Where and when a query means something."""

    tree: Tree
    world: World
    now: datetime
    visible: Visible

    def test(self, node: Node) -> Test:
        if isinstance(node, Comparison):
            return self.comparison(node)
        if isinstance(node, Not):
            inner = self.test(node.part)
            return lambda item: not inner(item)
        if isinstance(node, Exists):
            return self.exists(node)
        parts = [self.test(part) for part in node.parts]
        if len(parts) == 1:
            return parts[0]
        if isinstance(node, Both) and len(parts) == 2:
            # What most queries are; a loop would cost more than both parts.
            one, two = parts
            return lambda item: one(item) and two(item)
        if isinstance(node, Either):
            return lambda item: any(part(item) for part in parts)
        assert isinstance(node, Both)  # noqa: S101
        return lambda item: all(part(item) for part in parts)

    def exists(self, node: Exists) -> Test:
        inner = self.test(node.part)
        answer: list[bool] = []

        def test(_: Item) -> bool:
            if not answer:
                answer.append(any(inner(item) for item in self.visible()))
            return answer[0]

        return test

    def comparison(self, node: Comparison) -> Test:
        field = _found(self.tree, self.world, node.wanted)
        if node.sign not in SORTS[field.sort]:
            raise not_understood(self.tree.query, f"{node.wanted.name} {node.sign}")
        values = [self.value(node, field.sort, value) for value in node.values]
        if field.sort == "names":
            return _among_names(field, node.sign == "!=", frozenset(values))
        if node.sign == "LIKE":
            return _like(field, values[0], self.world)
        if node.sign in ("=", "!=", "IN"):
            return _equal(field, node.sign == "!=", frozenset(values))
        if node.sign == "BETWEEN":
            return _between(field, *values)
        return _ordered(field, _COMPARE[node.sign], values[0])

    def value(self, node: Comparison, sort: str, value: Any) -> Any:
        """Return a value as the items of a field of that sort carry theirs."""
        if sort == "date":
            if isinstance(value, str):
                return absolute(self.tree.query, value)
            if isinstance(value, Moment):
                return value.at(self.now)
        elif sort == "number":
            number = _number(value)
            if number is not None:
                return number
        elif sort == "bool":
            if isinstance(value, bool) or value in ("true", "false"):
                return value in (True, "true")
        elif isinstance(value, str) or (sort == "names" and value.__class__ is int):
            return value
        raise not_understood(
            self.tree.query, f"a value of {node.wanted.name}, which is a {sort}"
        )


def _number(value: Any) -> float | None:
    if value.__class__ in (int, float):
        return float(value) if value.__class__ is float else value
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,15}(\.\d+)?", value):
        return float(value)
    return None


def _among_names(field: Field, negated: bool, values: frozenset[Any]) -> Test:
    read_field = field.read
    return lambda item: values.isdisjoint(read_field(item)) == negated


def _equal(field: Field, negated: bool, values: frozenset[Any]) -> Test:
    read_field = field.read
    if negated:
        return lambda item: read_field(item) not in values
    return lambda item: read_field(item) in values


def _ordered(field: Field, compare: Callable[[Any, Any], bool], wanted: Any) -> Test:
    def test(item: Item) -> bool:
        value = field.read(item)
        return value is not None and compare(value, wanted)

    return test


def _between(field: Field, low: Any, high: Any) -> Test:
    def test(item: Item) -> bool:
        value = field.read(item)
        return value is not None and bool(low <= value <= high)

    return test


def _like(field: Field, pattern: str, world: World) -> Test:
    """Hold a text against a pattern in which % stands for anything."""
    folded: Callable[[str], str] = str
    if world.assumptions["like_ignores_case"]:
        folded = str.casefold
    first, *rest = folded(pattern).split("%")
    last = rest.pop() if rest else None

    def test(item: Item) -> bool:
        text = folded(field.read(item) or "")
        if last is None:
            return text == first
        at, end = len(first), len(text) - len(last)
        if at > end or not text.startswith(first) or not text.endswith(last):
            return False
        for part in rest:
            found = text.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return True

    return test
