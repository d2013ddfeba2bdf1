"""cbQL: the part of the query language that is understood, and nothing guessed.

A query becomes one function over items. What is not understood is refused with
501 and quotes the query; what no release would understand is a 400.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.values import STATUS
from airflow_codebeamer.emulator.world import Item, World

__all__ = ["Query", "parse"]

Test = Callable[[World, Item], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')|(?P<number>\d+(?![\w.]))"
    r"|(?P<sign><=|>=|!=|=|<|>|\(|\)|,)|(?P<word>[A-Za-z_][\w.]*))"
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d( \d\d:\d\d(:\d\d)?)?)?)?\Z")


def _status(world: World, item: Item) -> tuple[Any, ...]:
    options = item.values.get(STATUS) or ()
    return tuple(known for one in options for known in (one["id"], one["name"]))


def _modifier(world: World, item: Item) -> tuple[Any, ...]:
    user = world.users.get(item.modified_by)
    return (item.modified_by, user.name if user is not None else "")


_FIELDS: dict[str, tuple[str, Callable[[World, Item], Any]]] = {
    "project.id": ("number", lambda world, item: world.trackers[item.tracker].project),
    "tracker.id": ("number", lambda _, item: item.tracker),
    "parent.id": ("number", lambda _, item: item.parent or 0),
    "item.id": ("number", lambda _, item: item.id),
    "id": ("number", lambda _, item: item.id),
    "name": ("text", lambda _, item: item.name),
    "modifiedat": ("date", lambda _, item: item.modified_at),
    "createdat": ("date", lambda _, item: item.created_at),
    "status": ("names", _status),
    "modifiedby": ("names", _modifier),
}
_ORDERS: dict[str, Callable[[Item], Any]] = {
    "id": lambda item: item.id,
    "item.id": lambda item: item.id,
    "modifiedat": lambda item: (item.modified_at, item.id),
}


@dataclass(frozen=True)
class Query:
    """A query that was understood."""

    matches: Test
    order: Callable[[Item], Any]
    descending: bool = False

    def sorted(self, items: list[Item]) -> list[Item]:
        """Return items in the order that the query asks for, by id if none."""
        return sorted(items, key=self.order, reverse=self.descending)


class _Reader:
    """Reads a query from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        self.at = 0
        place = 0
        while text[place:].strip():
            match = _TOKEN.match(text, place)
            if match is None:
                raise self.unknown()
            self.tokens.append(
                (str(match.lastgroup), match.group(match.lastgroup or 0))
            )
            place = match.end()

    def unknown(self) -> RefusedError:
        return RefusedError(
            501, f"The emulator does not understand the query: {self.text}"
        )

    def wrong(self) -> RefusedError:
        return RefusedError(400, f"The query cannot be read: {self.text}")

    def peek(self) -> str:
        """Return the next token, words in upper case, "" at the end."""
        if self.at == len(self.tokens):
            return ""
        kind, token = self.tokens[self.at]
        return token.upper() if kind == "word" else token

    def take(self) -> tuple[str, str]:
        if self.at == len(self.tokens):
            raise self.wrong()
        self.at += 1
        return self.tokens[self.at - 1]

    def accept(self, *words: str) -> bool:
        """Step over words if they come next."""
        start = self.at
        for word in words:
            if self.peek() != word:
                self.at = start
                return False
            self.at += 1
        return True

    def expect(self, word: str) -> None:
        if not self.accept(word):
            raise self.wrong() if not self.peek() else self.unknown()

    def either(self) -> Test:
        tests = [self.both()]
        while self.accept("OR"):
            tests.append(self.both())
        if len(tests) == 1:
            return tests[0]
        return lambda world, item: any(test(world, item) for test in tests)

    def both(self) -> Test:
        tests = [self.one()]
        while self.accept("AND"):
            tests.append(self.one())
        if len(tests) == 1:
            return tests[0]
        return lambda world, item: all(test(world, item) for test in tests)

    def one(self) -> Test:
        if self.accept("NOT"):
            inner = self.one()
            return lambda world, item: not inner(world, item)
        if self.accept("("):
            inner = self.either()
            self.expect(")")
            return inner
        return self.comparison()

    def comparison(self) -> Test:
        kind, name = self.take()
        known = _FIELDS.get(name.lower()) if kind == "word" else None
        if known is None:
            raise self.unknown()
        sort, read = known
        if self.accept("NOT", "IN"):
            return self.among(sort, read, wanted=False)
        if self.accept("IN"):
            return self.among(sort, read, wanted=True)
        kind, sign = self.take()
        if sign not in _COMPARE or (sort == "names" and sign not in ("=", "!=")):
            raise self.unknown()
        value = self.value(sort)
        if sort == "names":
            return lambda world, item: (value in read(world, item)) == (sign == "=")
        compare = _COMPARE[sign]
        if sort == "date":
            return _dated(read, compare, value)
        return lambda world, item: compare(read(world, item), value)

    def among(
        self, sort: str, read: Callable[[World, Item], Any], *, wanted: bool
    ) -> Test:
        if sort == "date":
            raise self.unknown()
        self.expect("(")
        values = {self.value(sort)}
        while self.accept(","):
            values.add(self.value(sort))
        self.expect(")")
        if sort == "names":
            return lambda world, item: (
                (not values.isdisjoint(read(world, item))) == wanted
            )
        return lambda world, item: (read(world, item) in values) == wanted

    def value(self, sort: str) -> Any:
        kind, token = self.take()
        if kind == "number" and sort in ("number", "names"):
            return int(token)
        if kind != "text" or sort == "number":
            raise self.unknown()
        text = re.sub(r"\\(.)", r"\1", token[1:-1])
        if sort == "date":
            if not _DATE.match(text):
                raise self.wrong()
            return text.replace(" ", "T")
        return text

    def order(self) -> tuple[Callable[[Item], Any], bool]:
        if not self.accept("ORDER", "BY"):
            return _ORDERS["id"], False
        _, name = self.take()
        key = _ORDERS.get(name.lower())
        if key is None:
            raise self.unknown()
        if self.accept("DESC"):
            return key, True
        self.accept("ASC")
        return key, False


def _dated(
    read: Callable[[World, Item], Any], compare: Callable[[Any, Any], bool], value: str
) -> Test:
    """Compare moments: a literal is the first moment of what it names."""
    moment = value + "0000-01-01T00:00:00.000"[len(value) :]
    return lambda world, item: compare(read(world, item), moment)


@functools.lru_cache(maxsize=256)
def parse(text: str) -> Query:
    """Understand a query.

    Raises:
        RefusedError: 501 for what is not understood, 400 for what cannot be read.
    """
    reader = _Reader(text)
    if reader.peek() in ("", "ORDER"):
        raise reader.wrong()
    test = reader.either()
    key, descending = reader.order()
    if reader.peek():
        raise reader.unknown()
    return Query(test, key, descending)
