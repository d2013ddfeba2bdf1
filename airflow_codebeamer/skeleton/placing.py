"""Placing items: below other parents, in another order, and in the trash."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from airflow_codebeamer.client import Before
from airflow_codebeamer.errors import NotFoundError, SkeletonError
from airflow_codebeamer.skeleton.snapshot import order_of
from airflow_codebeamer.skeleton.steps import Discard, Move, Reorder
from airflow_codebeamer.skeleton.writing import Writing

__all__ = ["Placer"]


class Placer:
    """Moves, sorts and trashes, one after the other: each index counts on the last."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing

    def place_all(self) -> None:
        """Move items, then put children in order."""
        self._writing.crew.run([self._outline_all])

    def discard_all(self) -> None:
        """Trash what is gone from the document, the lowest first.

        Raises:
            SkeletonError: the server said yes, and an item is still there.
        """
        self._writing.crew.run([self._discard_all])

    def _outline_all(self) -> None:
        writing = self._writing
        for move in writing.plan.moves:
            writing.crew.write(partial(self._move, move), partial(self._is_moved, move))
            writing.notes.note([move], {})
        for step in writing.plan.reorders:
            writing.crew.write(
                partial(self._reorder, step), partial(self._is_ordered, step)
            )
            writing.notes.note([step], {})

    def _discard_all(self) -> None:
        writing = self._writing
        for step in writing.plan.discards:
            writing.crew.write(
                partial(self._discard, step), partial(self._is_gone, step)
            )
            writing.notes.note([step], {})
        numbers = ", ".join(str(step.item_id) for step in writing.plan.discards)
        if not numbers:
            return
        left = writing.client.items.query(f"item.id IN ({numbers})")
        if left:
            names = ", ".join(f"item {item.id} ({item.name!r})" for item in left[:5])
            raise SkeletonError(f"The server did not trash {names}: look there.")

    def _discard(self, step: Discard, before: Before) -> bool:
        with suppress(NotFoundError):
            self._writing.client.items.delete_item(step.item_id, before=before)
        return True

    def _is_gone(self, step: Discard) -> bool | None:
        count = self._writing.client.items.count(f"item.id = {step.item_id}")
        return None if count else True

    def _move(self, move: Move, before: Before) -> bool:
        self._writing.client.items.insert_child(
            self._writing.number(move.target),
            self._writing.tracker_id,
            move.item_id,
            move.index,
            before=before,
        )
        return True

    def _is_moved(self, move: Move) -> bool | None:
        target = self._writing.number(move.target)
        now = order_of(self._writing.items()).get(target, ())
        return True if now[move.index : move.index + 1] == (move.item_id,) else None

    def _reorder(self, step: Reorder, before: Before) -> bool:
        writing = self._writing
        writing.client.items.set_children(
            writing.number(step.parent),
            writing.tracker_id,
            writing.numbers(step.after),
            before=before,
        )
        return True

    def _is_ordered(self, step: Reorder) -> bool | None:
        parent = self._writing.number(step.parent)
        now = order_of(self._writing.items()).get(parent, ())
        return True if list(now) == self._writing.numbers(step.after) else None
