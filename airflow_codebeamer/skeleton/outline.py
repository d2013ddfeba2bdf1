"""Which items to create, move and reorder so that the tracker has the tree.

Creating in the document's order, each item next to its sibling, gives both
hierarchy and order without a further request. Moves come after all creations,
since their new parent may be one, and parents go before their children, so that
no item is ever put below itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from airflow_codebeamer.skeleton.order import index_for, longest_run, rearrange, weave
from airflow_codebeamer.skeleton.snapshot import Found, Snapshot
from airflow_codebeamer.skeleton.steps import Create, Move, Reorder, Spot
from airflow_codebeamer.skeleton.wishes import Wish

__all__ = ["Outline"]


class Outline:
    """The tracker's tree, changed step by step into the wanted one."""

    def __init__(
        self, snapshot: Snapshot, order: Literal["strict", "append", "ignore"]
    ) -> None:
        self._snapshot = snapshot
        self._order = order
        self._now: dict[Spot | None, list[Spot]] = {
            parent: list(children) for parent, children in snapshot.children.items()
        }
        self._wanted: dict[Spot | None, list[Spot]] = {}
        self._settled: dict[Spot | None, set[Spot]] = {}
        for wish in snapshot.wishes.wishes:
            self._wanted.setdefault(self._parent(wish), []).append(self.spot(wish.key))
        for parent, wanted in self._wanted.items():
            here = self._now.get(parent, [])
            self._settled[parent] = longest_run(here, wanted)

    def spot(self, key: str) -> Spot:
        """Return the number of the item with that key, or the key of a new one."""
        found = self._snapshot.keyed.get(key)
        return key if found is None else found.item_id

    def create(self, wishes: Iterable[Wish]) -> list[Create]:
        """Return the creations in the order of the document."""
        groups: dict[Spot | None, list[Wish]] = {}
        for wish in wishes:
            if wish.key not in self._snapshot.keyed:
                groups.setdefault(self._parent(wish), []).append(wish)
        made: dict[str, Create] = {}
        for parent, group in groups.items():
            made |= {create.key: create for create in self._create(parent, group)}
        order = self._snapshot.wishes.wishes
        return [made[wish.key] for wish in order if wish.key in made]

    def move(self, wishes: Iterable[Wish]) -> list[Move]:
        """Return the moves of items that stand below another parent."""
        moves: list[Move] = []
        for wish in wishes:
            found = self._snapshot.keyed.get(wish.key)
            parent = self._parent(wish)
            if found is not None and found.parent != parent:
                moves.append(self._move(found, parent))
        return moves

    def move_aside(self, found: Found, key: str) -> list[Move]:
        """Return the move of an item below the one with that key, to its end."""
        target = self.spot(key)
        if found.parent == target or found.item_id == target:
            return []
        self._now[found.parent].remove(found.item_id)
        now = self._now.setdefault(target, [])
        now.append(found.item_id)
        return [Move(found.item_id, found.key, found.parent, target, len(now) - 1)]

    def reorder(self) -> list[Reorder]:
        """Return one step for each parent whose children are in another order."""
        if self._order != "strict":
            return []
        steps: list[Reorder] = []
        for parent, wanted in self._wanted.items():
            now = self._now.get(parent, [])
            after = rearrange(now, wanted)
            if after != now:
                steps.append(Reorder(parent, tuple(now), tuple(after)))
        return steps

    def _parent(self, wish: Wish) -> Spot | None:
        if wish.parent is None:
            return self._snapshot.root
        return self.spot(wish.parent)

    def _create(self, parent: Spot | None, group: list[Wish]) -> list[Create]:
        new = [wish.key for wish in group]
        now = self._now.setdefault(parent, [])
        settled = self._settled[parent]
        if self._order == "strict":
            fresh = set(new)
            line = [s for s in self._wanted[parent] if s in settled or s in fresh]
        else:
            line = [*now[-1:], *new]
        places = _places(line, now, set(new), is_placed=self._order != "ignore")
        creates = [
            Create(
                key=wish.key,
                name=wish.name,
                parent=parent,
                reference=places[wish.key][0],
                position=places[wish.key][1],
                values={
                    **wish.seeded,
                    **wish.owned,
                    self._snapshot.wishes.keeper.field_id: wish.key,
                },
                description_format=wish.description_format,
            )
            for wish in group
        ]
        self._now[parent] = weave(now, line, set(line) - set(new))
        settled.update(new)
        return creates

    def _move(self, found: Found, parent: Spot | None) -> Move:
        item_id = found.item_id
        self._now[found.parent].remove(item_id)
        now = self._now.setdefault(parent, [])
        index = len(now)
        if self._order == "strict":
            settled = self._settled[parent]
            index = index_for(item_id, now, self._wanted[parent], settled)
        now.insert(index, item_id)
        self._settled[parent].add(item_id)
        return Move(item_id, found.key, found.parent, parent, index)


Placed = tuple[Spot | None, Literal["BEFORE", "AFTER"] | None]


def _places(
    line: list[Spot], now: list[Spot], new: set[str], *, is_placed: bool
) -> dict[Spot, Placed]:
    """Say next to whom each new sibling is created, in the order of creation."""
    if not is_placed:
        return dict.fromkeys(new, (None, None))
    places: dict[Spot, Placed] = {}
    previous: Spot | None = None
    settled = [spot for spot in line if spot not in new]
    for spot in line:
        if spot in new:
            if previous is not None:
                places[spot] = (previous, "AFTER")
            elif settled:
                places[spot] = (settled[0], "BEFORE")
            elif now:
                places[spot] = (now[-1], "AFTER")
            else:
                places[spot] = (None, None)
        previous = spot
    return places
