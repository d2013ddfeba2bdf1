"""What becomes of items of ours that the document does not name any more; pure.

Marked as obsolete and moved aside, which can be undone, or trashed, which cannot
over REST. Guards stop a document that lost half of its items by accident.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from airflow_codebeamer.errors import DocumentError, PruneLimitError
from airflow_codebeamer.ids import ItemId
from airflow_codebeamer.skeleton.document import Prune
from airflow_codebeamer.skeleton.fields import is_same
from airflow_codebeamer.skeleton.flow import status_of
from airflow_codebeamer.skeleton.outline import Outline
from airflow_codebeamer.skeleton.snapshot import Found, Snapshot
from airflow_codebeamer.skeleton.steps import Change, Discard, Move, Update

__all__ = ["Pruned", "prune"]


@dataclass
class Pruned:
    """The steps, and a line for each item that a guard spared."""

    updates: list[Update] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    discards: list[Discard] = field(default_factory=list)
    spared: list[str] = field(default_factory=list)
    items: set[ItemId] = field(default_factory=set)


def prune(
    policy: Prune, gone: Iterable[Found], snapshot: Snapshot, outline: Outline
) -> Pruned:
    """Return what to do with the items that are gone from the document.

    Raises:
        PruneLimitError: more than the policy allows at once.
        DocumentError: a status that no way of the workflow leads to.
    """
    if policy.mode == "report":
        return Pruned()
    pruner = _Pruner(policy, list(gone), snapshot)
    pruned = pruner.trash() if policy.mode == "trash" else pruner.obsolete(outline)
    _check_limits(policy, len(pruned.items), snapshot)
    return pruned


class _Pruner:
    def __init__(self, policy: Prune, gone: list[Found], snapshot: Snapshot) -> None:
        self._policy = policy
        self._snapshot = snapshot
        self._pruned = Pruned()
        self._gone = {
            found.item_id: found for found in gone if not self._is_protected(found)
        }

    def obsolete(self, outline: Outline) -> Pruned:
        """Mark them, and move the tops of them aside."""
        pruned, wishes = self._pruned, self._snapshot.wishes
        for found in self._gone.values():
            changes = tuple(self._changes(found))
            if changes:
                pruned.updates.append(Update(found.item_id, found.key, changes))
        aside = wishes.aside
        if aside is not None:
            for found in self._gone.values():
                if found.parent not in self._gone:
                    pruned.moves += outline.move_aside(found, aside)
        pruned.items = {ItemId(int(step.item_id)) for step in pruned.updates}
        pruned.items |= {step.item_id for step in pruned.moves}
        return pruned

    def trash(self) -> Pruned:
        """Trash them, the lowest first, so that nothing else goes along."""
        pruned = self._pruned
        kept: set[ItemId] = set()
        for item_id in self._snapshot.items:
            if item_id not in self._gone:
                self._keep_above(item_id, kept)
        for found in self._gone.values():
            if found.comments and found.item_id not in kept:
                pruned.spared.append(f"{_name(found)} has comments and is not trashed")
                kept.add(found.item_id)
                self._keep_above(found.item_id, kept)
        going = [one for one in self._gone.values() if one.item_id not in kept]
        going.sort(key=lambda one: (-self._depth(one.item_id), one.item_id))
        pruned.discards = [Discard(one.item_id, one.key, one.name) for one in going]
        pruned.items = {one.item_id for one in going}
        return pruned

    def _is_protected(self, found: Found) -> bool:
        if found.item_id not in self._snapshot.protected:
            return False
        self._pruned.spared.append(f"{_name(found)} is protected and stays as it is")
        return True

    def _changes(self, found: Found) -> Iterator[Change]:
        wishes = self._snapshot.wishes
        for field_id, wanted in wishes.obsolete.items():
            shape, there = wishes.shapes[field_id], found.values[field_id]
            if is_same(shape, wanted, there):
                continue
            way: tuple[int, ...] | None = None
            if shape.is_status and self._snapshot.flow is not None:
                way = self._snapshot.flow.way(status_of(there), status_of(wanted))
                if way is None:
                    raise DocumentError(
                        f"policy.prune.set.{shape.name}",
                        f"{_name(found)} cannot get from {shape.show(there)} to "
                        f"{shape.show(wanted)}: the workflow has no way there",
                    )
            via = tuple((step,) for step in (way or ())[:-1])
            yield Change(field_id, there, wanted, via)

    def _keep_above(self, item_id: ItemId, kept: set[ItemId]) -> None:
        """Keep what stands above an item that stays: it would be trashed too."""
        found = self._snapshot.items.get(item_id)
        while found is not None and found.parent is not None:
            above = self._gone.get(found.parent)
            if above is not None and above.item_id not in kept:
                kept.add(above.item_id)
                self._pruned.spared.append(
                    f"{_name(above)} has item {item_id} below it and is not trashed"
                )
            found = self._snapshot.items.get(found.parent)

    def _depth(self, item_id: ItemId) -> int:
        depth, found = 0, self._snapshot.items.get(item_id)
        while found is not None and found.parent is not None:
            depth, found = depth + 1, self._snapshot.items.get(found.parent)
        return depth


def _name(found: Found) -> str:
    return f"{found.key} (item {found.item_id})"


def _check_limits(policy: Prune, count: int, snapshot: Snapshot) -> None:
    ours = len(snapshot.keyed)
    share = 100 * count / ours if ours else 0.0
    if policy.max_items is not None and count > policy.max_items:
        raise PruneLimitError(count, f"policy.prune.max_items is {policy.max_items}")
    # A few items are always a large share of a small tracker.
    if policy.max_percent is not None and count > 5 and share > policy.max_percent:
        raise PruneLimitError(
            count,
            f"that is {share:.1f} % of {ours}, and policy.prune.max_percent is "
            f"{policy.max_percent:g}",
        )
