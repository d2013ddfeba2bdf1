"""Whose siblings stand in another order than before, and who has other comments; pure.

Neither makes a version on every server, so both are compared by what a whole look
shows anyway. No request is needed to find them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from airflow_codebeamer.locking.audit.sight import Sight
from airflow_codebeamer.locking.certificate import ForeignChange

__all__ = ["Talk", "Touched", "list_reordered", "list_talks"]

_Places = Mapping[int, tuple[int, int]]


@dataclass(frozen=True)
class Touched:
    """What runs of ours deleted, moved, put in order and unlinked.

    Parents are 0 at the top; associations go by their own numbers.
    """

    discarded: Collection[int] = ()
    moved: Collection[int] = ()
    reordered: Collection[int] = ()
    dissociated: Collection[int] = ()


@dataclass(frozen=True)
class Talk:
    """Comments that an item has more, and how many it has less."""

    item_id: int
    new: tuple[int, ...]
    gone: int


def list_reordered(
    before: Sight, after: Sight, touched: Touched
) -> Iterator[ForeignChange]:
    """Yield the parents below which items that stayed there changed their order.

    What came, went, or was moved by us in between does not count.
    """
    stayed = {
        number
        for number, (parent, place) in before.places.items()
        if place >= 0
        and number not in touched.moved
        and after.places.get(number, (-1, -1))[0] == parent
        and after.places[number][1] >= 0
    }
    was, now = _orders(before.places, stayed), _orders(after.places, stayed)
    for parent in sorted(was):
        if parent not in touched.reordered and was[parent] != now[parent]:
            yield ForeignChange("reordered", parent or None)


def list_talks(before: Sight, after: Sight) -> Iterator[Talk]:
    """Yield the items whose comments are not those of before."""
    for number, found in sorted(after.comments.items()):
        old = before.comments.get(number, ())
        if found != old:
            new = tuple(sorted(set(found) - set(old)))
            yield Talk(number, new, len(set(old) - set(found)))
    for number, old in sorted(before.comments.items()):
        if number in after.versions and number not in after.comments:
            yield Talk(number, (), len(old))


def _orders(places: _Places, only: Collection[int]) -> dict[int, list[int]]:
    siblings: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for number in only:
        parent, place = places[number]
        siblings[parent].append((place, number))
    return {
        parent: [number for _, number in sorted(found)]
        for parent, found in siblings.items()
    }
