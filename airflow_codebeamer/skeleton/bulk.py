"""Bulk updates: many items in a request, more while it goes well, locked ones last."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from airflow_codebeamer.client import Before, Client
from airflow_codebeamer.errors import (
    BadRequestError,
    OutcomeUnknownError,
    ServerError,
    SkeletonError,
)
from airflow_codebeamer.ids import FieldId, ItemId
from airflow_codebeamer.models import FieldValue, ItemPatch
from airflow_codebeamer.skeleton.crew import Crew
from airflow_codebeamer.skeleton.fields import FieldShape, Value, is_same
from airflow_codebeamer.skeleton.plan import BULK, LARGEST_BULK
from airflow_codebeamer.skeleton.steps import Update
from airflow_codebeamer.skeleton.tokens import settle

__all__ = ["BulkWriter"]

Wave = Sequence[Update]


class BulkWriter:
    """Writes updates in waves: first everything, then each further status step.

    A request changes all of its items or none. Those that somebody is editing
    are left for the end, waited for, and sent again alone. The first requests
    are small, later ones larger; one that fails without an answer, and has not
    happened, is cut in halves.
    """

    def __init__(
        self,
        client: Client,
        crew: Crew,
        shapes: Mapping[FieldId, FieldShape],
        numbers: Mapping[str, ItemId],
        note: Callable[[Sequence[Update]], None],
    ) -> None:
        self._client = client
        self._crew = crew
        self._shapes = shapes
        self._numbers = numbers
        self._note = note
        self._door = threading.Lock()
        self._size = BULK

    def write(self, updates: Sequence[Update]) -> None:
        """Write all of them.

        Raises:
            SkeletonError: the server refused some, or somebody did not stop
                editing; names the items.
        """
        longest = max((update.stages for update in updates), default=0)
        for stage in range(longest):
            self._write_wave([u for u in updates if u.stages > stage], stage)

    def _write_wave(self, wave: Wave, stage: int) -> None:
        held: list[Update] = []
        start = 0
        # One after the other while they grow, so that their number can be told.
        while start < len(wave) and self._size < LARGEST_BULK:
            chunk = wave[start : start + self._size]
            self._crew.run([partial(self._send, chunk, stage, held)])
            start += len(chunk)
            self._size = min(2 * self._size, LARGEST_BULK)
        self._crew.run(
            partial(self._send, wave[at : at + LARGEST_BULK], stage, held)
            for at in range(start, len(wave), LARGEST_BULK)
        )
        if held:
            self._write_held(held, stage)

    def _write_held(self, held: Wave, stage: int) -> None:
        """Wait until nobody edits these items any more, and write them."""
        waiting = list(held)
        for _ in self._crew.patience():
            still: list[Update] = []
            self._crew.run(
                partial(self._send, waiting[at : at + BULK], stage, still)
                for at in range(0, len(waiting), BULK)
            )
            waiting = still
            if not waiting:
                return
        raise self._refusal(
            {u.item_id: "somebody is editing it" for u in waiting}, waiting
        )

    def _send(self, chunk: Wave, stage: int, held: list[Update]) -> None:
        while chunk:
            try:
                self._crew.write(
                    partial(self._update, chunk, stage),
                    partial(self._is_updated, chunk, stage),
                    attempts=3 if len(chunk) == 1 else 1,
                )
            except BadRequestError as error:
                if not error.failed:
                    raise
                chunk = self._without_locked(chunk, dict(error.failed), held)
                continue
            except (OutcomeUnknownError, ServerError):
                if len(chunk) == 1:
                    raise
                half = len(chunk) // 2
                self._send(chunk[:half], stage, held)
                chunk = chunk[half:]
                continue
            if stage == 0:
                self._note(chunk)
            return

    def _without_locked(
        self, chunk: Wave, failed: Mapping[int, str], held: list[Update]
    ) -> Wave:
        """Set aside what is locked; anything else that is refused is an error."""
        locked: set[ItemId] = set()
        for number in failed:
            self._crew.check()
            if self._client.items.find_lock(ItemId(number)) is not None:
                locked.add(ItemId(number))
        if len(locked) < len(failed):
            refused = {n: m for n, m in failed.items() if n not in locked}
            raise self._refusal(refused, chunk)
        with self._door:
            held += [u for u in chunk if self._number(u) in locked]
        return [u for u in chunk if self._number(u) not in locked]

    def _refusal(self, failed: Mapping[Any, str], chunk: Wave) -> SkeletonError:
        keys: dict[object, str] = {}
        for update in chunk:
            keys[update.item_id] = keys[self._number(update)] = update.key
        lines = [
            f"{keys.get(item) or '-'} (item {item}): {message}"
            for item, message in failed.items()
        ]
        # The server's own sentences may end with a period.
        reasons = "; ".join(line.rstrip(". ") for line in lines[:5])
        return SkeletonError(
            f"The server refused to change {len(lines)} item(s), this request changed "
            f"nothing: {reasons}."
        )

    def _number(self, update: Update) -> ItemId:
        spot = update.item_id
        return self._numbers[spot] if isinstance(spot, str) else spot

    def _values(self, update: Update, stage: int) -> list[tuple[FieldShape, Value]]:
        return [
            (
                self._shapes[change.field_id],
                settle(change.stages[stage], self._numbers),
            )
            for change in update.changes
            if len(change.stages) > stage
        ]

    def _update(self, chunk: Wave, stage: int, before: Before) -> bool:
        patches = [
            ItemPatch(self._number(update), self._wired(update, stage))
            for update in chunk
        ]
        result = self._client.items.update_many(patches, atomic=True, before=before)
        if result.failed:
            raise self._refusal({f.id: f.message for f in result.failed}, chunk)
        return True

    def _wired(self, update: Update, stage: int) -> tuple[FieldValue, ...]:
        return tuple(shape.wire(value) for shape, value in self._values(update, stage))

    def _is_updated(self, chunk: Wave, stage: int) -> bool | None:
        numbers = ", ".join(str(self._number(update)) for update in chunk)
        found = self._client.items.query(f"item.id IN ({numbers})")
        items = {item.id: item for item in found}
        done = all(
            self._number(update) in items
            and is_same(shape, shape.read(items[self._number(update)]), value)
            for update in chunk
            for shape, value in self._values(update, stage)
        )
        return True if done else None
