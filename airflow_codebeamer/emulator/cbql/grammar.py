"""Grammar: the tree of a query.

query      = [ either ] [ ORDER BY name [ASC|DESC] { , name [ASC|DESC] } ]
either     = both { OR both }
both       = one { AND one }
one        = NOT one | ( either ) | [NOT] EXISTS ( either ) | comparison
comparison = name sign value | name [NOT] LIKE text
           | name [NOT] BETWEEN value AND value
           | name [NOT] IN ( value { , value } )
name       = word | text
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_codebeamer.emulator.cbql.fields import Wanted
from airflow_codebeamer.emulator.cbql.moments import read_moment
from airflow_codebeamer.emulator.cbql.tokens import (
    Tokens,
    not_understood,
    unreadable,
)

__all__ = ["Both", "Comparison", "Either", "Exists", "Not", "Order", "Tree", "read"]

_SIGNS = ("=", "!=", "<", "<=", ">", ">=")
_DEEPEST = 60


@dataclass(frozen=True)
class Either:
    """True when one of its parts is."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Both:
    """True when all of its parts are."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Not:
    """True when its part is not."""

    part: Node


@dataclass(frozen=True)
class Exists:
    """True when any item fits its part."""

    part: Node


@dataclass(frozen=True)
class Comparison:
    """A field held against values; `sign` is also LIKE, BETWEEN or IN."""

    wanted: Wanted
    sign: str
    values: tuple[Any, ...]


Node = Either | Both | Not | Exists | Comparison


@dataclass(frozen=True)
class Order:
    """A field to sort by."""

    wanted: Wanted
    descending: bool


@dataclass(frozen=True)
class Tree:
    """A whole query."""

    query: str
    condition: Node
    orders: tuple[Order, ...]


def read(query: str) -> Tree:
    """Make a tree of a query.

    Raises:
        RefusedError: 501 for what is not understood, 400 for what cannot be read.
    """
    reader = _Reader(query)
    if reader.tokens.next.word in ("", "ORDER") and reader.tokens.next.kind != "text":
        raise unreadable(query)
    condition = reader.either()
    orders = reader.orders()
    if reader.tokens.next.kind != "end":
        raise not_understood(query, reader.tokens.next.source)
    return Tree(query, condition, orders)


class _Reader:
    """Goes down the grammar; `depth` counts how many conditions are open."""

    def __init__(self, query: str) -> None:
        self.tokens = Tokens(query)
        self.depth = 0

    def either(self) -> Node:
        return self.chain(self.both, "OR", Either)

    def both(self) -> Node:
        return self.chain(self.one, "AND", Both)

    def chain(
        self, part: Callable[[], Node], joint: str, kind: type[Either] | type[Both]
    ) -> Node:
        parts = [part()]
        while self.tokens.accept(joint):
            parts.append(part())
        return parts[0] if len(parts) == 1 else kind(tuple(parts))

    def one(self) -> Node:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise not_understood(self.tokens.query, f"more than {_DEEPEST} levels")
        try:
            return self.open()
        finally:
            self.depth -= 1

    def open(self) -> Node:
        if self.tokens.accept("NOT"):
            return Not(self.one())
        if self.tokens.accept("EXISTS"):
            return Exists(self.enclosed())
        if self.tokens.next.word == "(":
            return self.enclosed()
        return self.comparison()

    def enclosed(self) -> Node:
        self.tokens.expect("(")
        inner = self.either()
        self.tokens.expect(")")
        return inner

    def comparison(self) -> Node:
        wanted = self.wanted()
        if self.tokens.accept("NOT"):
            return Not(self.compared(wanted, ("LIKE", "BETWEEN", "IN")))
        return self.compared(wanted, (*_SIGNS, "LIKE", "BETWEEN", "IN"))

    def wanted(self) -> Wanted:
        token = self.tokens.take()
        if token.kind == "text" and token.text:
            return Wanted(token.text, quoted=True)
        if token.kind != "word":
            raise not_understood(self.tokens.query, token.source)
        return Wanted(token.source)

    def compared(self, wanted: Wanted, allowed: tuple[str, ...]) -> Node:
        sign = self.tokens.take()
        if sign.word not in allowed:
            raise not_understood(self.tokens.query, sign.source)
        if sign.word == "IN":
            self.tokens.expect("(")
        values = [self.value()]
        if sign.word == "BETWEEN":
            self.tokens.expect("AND")
            values.append(self.value())
        if sign.word == "IN":
            while self.tokens.accept(","):
                values.append(self.value())
            self.tokens.expect(")")
        return Comparison(wanted, sign.word, tuple(values))

    def value(self) -> Any:
        """Read a text, a number, a truth, or a moment that is relative to now."""
        token = self.tokens.next
        if token.kind == "number":
            self.tokens.take()
            return float(token.source) if "." in token.source else _whole(token.source)
        if token.kind == "text":
            return self.tokens.take().text
        if token.word in ("TRUE", "FALSE"):
            return self.tokens.take().word == "TRUE"
        return read_moment(self.tokens)

    def orders(self) -> tuple[Order, ...]:
        if not self.tokens.accept("ORDER", "BY"):
            return ()
        orders = [self.order()]
        while self.tokens.accept(","):
            orders.append(self.order())
        return tuple(orders)

    def order(self) -> Order:
        wanted = self.wanted()
        descending = self.tokens.accept("DESC")
        if not descending:
            self.tokens.accept("ASC")
        return Order(wanted, descending)


def _whole(text: str) -> float:
    """Read a whole number; one that no id has becomes the nearest fraction."""
    return int(text) if len(text) < 19 else float(text[:300])
