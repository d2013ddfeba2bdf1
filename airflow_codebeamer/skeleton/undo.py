"""Decide how to undo a run, from its records and what stands in the tracker.

Nothing here trusts an outcome: whether a step happened is seen in the tracker.
So the same decision can be made again after a crash, and finds less to do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from airflow_codebeamer.ids import ItemId
from airflow_codebeamer.models import FieldValue, Item
from airflow_codebeamer.skeleton.fields import FieldShape, Value, is_same
from airflow_codebeamer.skeleton.flow import status_of
from airflow_codebeamer.skeleton.order import index_for, rearrange
from airflow_codebeamer.skeleton.outside import began
from airflow_codebeamer.skeleton.parting import Part, Parts, undo_parts
from airflow_codebeamer.skeleton.records import Record, Written
from airflow_codebeamer.skeleton.snapshot import order_of
from airflow_codebeamer.skeleton.steps import Move, Spot
from airflow_codebeamer.skeleton.tokens import settle

__all__ = ["MoveBack", "PutBack", "Sort", "Trash", "Undo", "decide"]


@dataclass(frozen=True)
class Trash:
    """A created item that goes to the trash; `depth` counts from the top.

    All below it was created too and goes as well. `below` is the item right above
    it, if that goes to the trash.
    """

    item_id: ItemId
    depth: int
    below: ItemId | None
    says: str


@dataclass(frozen=True)
class PutBack:
    """Fields of an item that get their values from before the run.

    `later` are the further steps of a status, one after the other.
    """

    item_id: ItemId
    values: tuple[FieldValue, ...]
    says: str
    later: tuple[FieldValue, ...] = ()


@dataclass(frozen=True)
class MoveBack:
    """An item that goes back below its old parent."""

    item_id: ItemId
    parent: ItemId | None
    index: int
    says: str


@dataclass(frozen=True)
class Sort:
    """Children of a parent that get back their order."""

    parent: ItemId | None
    children: tuple[ItemId, ...]
    says: str


@dataclass
class Undo:
    """What is still to be undone, in this order, and what cannot be."""

    parts: list[Part] = field(default_factory=list)
    moves: list[MoveBack] = field(default_factory=list)
    trash: list[Trash] = field(default_factory=list)
    updates: list[PutBack] = field(default_factory=list)
    sorts: list[Sort] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    #: When the run began to write, as far as the tracker tells.
    began: str = ""

    def list_steps(self) -> list[str]:
        """Return a line for each step."""
        return [
            *(step.says for step in self.parts),
            *(step.says for step in self.moves),
            *(step.says for step in self.trash),
            *(step.says for step in self.updates),
            *(step.says for step in self.sorts),
        ]


def decide(
    record: Record,
    items: Iterable[Item],
    stuck: Collection[ItemId] = (),
    parts: Parts | None = None,
) -> Undo:
    """Compare what the run wrote with what stands there now.

    `stuck` are items that the server would not move: nothing above them goes to
    the trash. `parts` are the links and files of the items that got some.
    """
    return _Decision(record, list(items), stuck).decide(parts or Parts())


class _Decision:
    def __init__(
        self, record: Record, items: list[Item], stuck: Collection[ItemId]
    ) -> None:
        self._record = record
        self._stuck = stuck
        self._items = {item.id: item for item in items}
        self._children: dict[ItemId | None, list[ItemId]] = {
            parent: list(children) for parent, children in order_of(items).items()
        }
        self._parents = {
            child: parent for parent, group in self._children.items() for child in group
        }
        self._undo = Undo()

    def decide(self, parts: Parts) -> Undo:
        created = self._created()
        self._undo.began = began(self._record, self._items.values())
        # What points at a created item has to go while that is still there.
        for step in undo_parts(self._record, parts, self._items, created):
            if isinstance(step, str):
                self._undo.left.append(step)
            else:
                self._undo.parts.append(step)
        # Moves first: what stands below a created item would go to the trash
        # with it.
        for move in reversed(self._record.moves):
            self._move_back(move, created)
        self._trash(created)
        numbers = self._record.numbers | {key: one for one, key in created.items()}
        for update in self._record.updates.values():
            self._put_back(update, numbers)
        for parent in self._record.orders:
            self._sort(parent)
        self._undo.left += [
            f"{gone.key} (item {gone.item_id}, {gone.name!r}) is in the trash, which "
            "only people can empty or bring back"
            for gone in self._record.discards
            if gone.item_id not in self._items
        ]
        return self._undo

    def _created(self) -> dict[ItemId, str]:
        keys, identity = set(self._record.created), self._record.identity
        found: dict[ItemId, str] = {}
        if identity is None:
            return found
        for item in self._items.values():
            key = identity.read(item)
            if key not in keys or not isinstance(key, str):
                continue
            maker = item.created_by.name if item.created_by else ""
            account = self._record.account.casefold()
            if account and maker.casefold() not in ("", account):
                self._undo.left.append(
                    f"item {item.id} carries the key {key} and was created by {maker}"
                )
                continue
            found[item.id] = key
        return found

    def _move_back(self, move: Move, created: dict[ItemId, str]) -> None:
        name = f"{move.key} (item {move.item_id})"
        if move.item_id not in self._items:
            self._undo.left.append(f"{name} is not in the tracker any more")
            return
        now = self._parents[move.item_id]
        if now == move.source:
            return
        if not self._is_at(move.target, now, created):
            self._undo.left.append(f"{name} was moved on by somebody else")
            return
        if move.item_id in self._stuck:
            self._undo.left.append(f"{name} could not be moved back")
            return
        if move.source is not None and move.source not in self._items:
            self._undo.left.append(f"{name}: its old parent {move.source} is gone")
            return
        siblings = self._children.setdefault(move.source, [])
        order = list(self._record.orders.get(move.source, ()))
        index = len(siblings)
        if move.item_id in order:
            index = index_for(move.item_id, siblings, order, set(siblings))
        self._children[now].remove(move.item_id)
        siblings.insert(index, move.item_id)
        self._parents[move.item_id] = move.source
        self._undo.moves.append(
            MoveBack(move.item_id, move.source, index, f"{name}: moved back")
        )

    def _is_at(
        self, target: Spot | None, now: ItemId | None, created: dict[ItemId, str]
    ) -> bool:
        if isinstance(target, str):
            return now is not None and created.get(now) == target
        return now == target

    def _trash(self, created: dict[ItemId, str]) -> None:
        kept: set[ItemId] = set()
        for item_id in self._items:
            if item_id not in created:
                self._keep_above(item_id, created, kept)
        going = {
            item_id: key for item_id, key in created.items() if item_id not in kept
        }
        trash = [
            Trash(
                item_id,
                self._depth(item_id),
                above if (above := self._parents.get(item_id)) in going else None,
                f"{key} (item {item_id}): trashed",
            )
            for item_id, key in going.items()
        ]
        self._undo.trash = sorted(trash, key=lambda step: (-step.depth, -step.item_id))
        for parent, children in self._children.items():
            self._children[parent] = [one for one in children if one not in going]

    def _keep_above(
        self, item_id: ItemId, created: dict[ItemId, str], kept: set[ItemId]
    ) -> None:
        """Keep what stands above somebody else's item: it would be trashed too."""
        for above in self._above(item_id):
            if above in created and above not in kept:
                kept.add(above)
                self._undo.left.append(
                    f"{created[above]} (item {above}) has somebody else's item "
                    f"{item_id} below it"
                )

    def _above(self, item_id: ItemId) -> Iterator[ItemId]:
        seen: set[ItemId] = set()
        above = self._parents.get(item_id)
        while above is not None and above not in seen:
            yield above
            seen.add(above)
            above = self._parents.get(above)

    def _depth(self, item_id: ItemId) -> int:
        return sum(1 for _ in self._above(item_id))

    def _put_back(self, update: Written, numbers: Mapping[str, ItemId]) -> None:
        name = f"{update.key or 'item'} (item {update.item_id})"
        item = self._items.get(update.item_id)
        if item is None:
            self._undo.left.append(f"{name} is not in the tracker any more")
            return
        values: list[FieldValue] = []
        later: tuple[FieldValue, ...] = ()
        names: list[str] = []
        for field_id, (before, written) in update.fields.items():
            shape = self._record.shapes[field_id]
            now = shape.read(item)
            if is_same(shape, now, before):
                continue
            if not any(is_same(shape, now, settle(one, numbers)) for one in written):
                self._undo.left.append(
                    f"{name}: {shape.name} was changed later, to {shape.show(now)}"
                )
                continue
            way = self._way_back(shape, now, before)
            if not way:
                self._undo.left.append(
                    f"{name}: {shape.name} is {shape.show(now)}, and the workflow has "
                    f"no way back to {shape.show(before)}"
                )
                continue
            values.append(way[0])
            later += way[1:]
            names.append(shape.name)
        if values:
            says = f"{name}: put back {', '.join(names)}"
            self._undo.updates.append(PutBack(item.id, tuple(values), says, later))

    def _way_back(
        self, shape: FieldShape, now: Value, before: Value
    ) -> tuple[FieldValue, ...]:
        """Return what to write, one after the other; nothing if no way leads back."""
        if not shape.is_status or not self._record.flow.steps:
            return (shape.wire(before),)
        here, there = map(status_of, (now, before))
        way = self._record.flow.way(here, there) or ()
        return tuple(shape.wire((step,)) for step in way)

    def _sort(self, parent: ItemId | None) -> None:
        now = self._children.get(parent, [])
        here = set(now)
        before = [child for child in self._record.orders[parent] if child in here]
        if _ordered_as(now, before):
            return
        where = "the top" if parent is None else f"item {parent}"
        if not self._is_ours(parent, now):
            self._undo.left.append(f"the order below {where} was changed later")
            return
        children = tuple(rearrange(now, before))
        self._undo.sorts.append(
            Sort(parent, children, f"order below {where}: put back")
        )

    def _is_ours(self, parent: ItemId | None, now: list[ItemId]) -> bool:
        """Whether the siblings stand as the run has put them."""
        here = set(now)
        for step in self._record.reorders:
            if step.parent == parent:
                return _ordered_as(now, [s for s in step.after if s in here])
        return False


def _ordered_as(now: list[ItemId], order: Sequence[Spot]) -> bool:
    """Whether those of `order` stand in `now` in its order."""
    members = set(order)
    return [child for child in now if child in members] == list(order)
