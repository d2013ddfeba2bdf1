"""AccessTable: who may do what, as data beside the code that decides it.

`access.json` says for each action which rights it needs and for each actor where
his come from, both with source and level. A cell is one actor, one action, one
kind of item and one set of permissions. Nothing here is used to decide; a test
walks the cells against a running emulator.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

from airflow_codebeamer.emulator.catalog import ALL_PERMISSIONS, PROJECT_ADMIN_MINIMUM

__all__ = ["ITEMS", "PERMISSION_SETS", "AccessCell", "access_cells", "access_data"]

ITEMS = ("foreign", "own", "assigned", "of a role")
"""Whose an item is: nobody's, submitted by the actor, assigned to him, owned by
one of his roles."""

_READ = (0, 2, 8, 9, 10, 15, 17, 19, 21, 25)
PERMISSION_SETS: tuple[tuple[int, ...], ...] = (
    (),
    *((number,) for number in ALL_PERMISSIONS),
    *((0, number) for number in ALL_PERMISSIONS if number),
    *((2, number) for number in ALL_PERMISSIONS if number not in (0, 2)),
    (0, 1, 6),
    (0, 10, 13),
    (0, 10, 14),
    (2, 4, 6),
    _READ,
    ALL_PERMISSIONS,
)
"""What a role may have been granted: each permission by itself and with a right to
view, some that go together, reading only, everything."""


@dataclass(frozen=True)
class AccessCell:
    """One question of the table and its answer, with where the answer comes from."""

    actor: str
    action: str
    operation: str
    item: str
    permissions: tuple[int, ...]
    allowed: bool
    source: str
    level: str


@functools.cache
def access_data() -> dict[str, Any]:
    """Return rights, actions and actors as they are written."""
    text = resources.files(__package__).joinpath("access.json").read_text("utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def access_cells(
    sets: Iterable[tuple[int, ...]] = PERMISSION_SETS,
) -> Iterator[AccessCell]:
    """Yield every cell of the table for some sets of permissions."""
    data = access_data()
    for permissions in sets:
        for actor in data["actors"]:
            for action in data["actions"]:
                items = ITEMS if action["on"] == "item" else ("none",)
                for item in items:
                    yield _cell(data, actor, action, item, permissions)


def _cell(
    data: dict[str, Any],
    actor: dict[str, Any],
    action: dict[str, Any],
    item: str,
    permissions: tuple[int, ...],
) -> AccessCell:
    has = _had(actor["has"], item, frozenset(permissions))
    seen = actor["has"] == "granted on own items" and {0, 2} & set(permissions)
    allowed = actor["has"] != "no API" and all(
        right in actor["always"]
        or (right == "see the tracker" and bool(seen))
        or _holds(data["rights"][right], has, item)
        for right in action["rights"]
    )
    if actor["has"] == "everything":
        allowed = True
    levels = {actor["level"], action["level"]}
    return AccessCell(
        actor=actor["actor"],
        action=action["action"],
        operation=action["operation"],
        item=item,
        permissions=permissions,
        allowed=allowed,
        source=f"{action['source']}; {actor['source']}",
        level="assumed" if "assumed" in levels else "documented",
    )


def _had(has: str, item: str, granted: frozenset[int]) -> frozenset[int]:
    """Return which permissions an actor has where a role was granted some."""
    if has == "granted":
        return granted
    if has == "granted and minimum":
        return granted | PROJECT_ADMIN_MINIMUM
    if has == "granted on own items":
        return granted if item == "own" else frozenset()
    return frozenset(ALL_PERMISSIONS if has == "everything" else ())


def _holds(ways: list[list[Any]], has: frozenset[int], item: str) -> bool:
    """Tell whether one way to a right is open; comments here are somebody else's."""
    return any(
        way[0] in has and (len(way) == 1 or (way[1] == "owner" and item in ITEMS[1:]))
        for way in ways
    )
