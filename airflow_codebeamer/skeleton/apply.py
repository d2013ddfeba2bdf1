"""Carry out a plan: written down first, guarded, and never twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from airflow_codebeamer.client import Before, Client
from airflow_codebeamer.clock import Clock, SystemClock
from airflow_codebeamer.errors import ApiError, NotFoundError, SkeletonError
from airflow_codebeamer.ids import ItemId, TrackerId
from airflow_codebeamer.journal import JSON, Journal, Run, Runs, RunState
from airflow_codebeamer.models import Item, Place
from airflow_codebeamer.skeleton.bulk import BulkWriter
from airflow_codebeamer.skeleton.crew import Crew
from airflow_codebeamer.skeleton.look import list_tracker_items
from airflow_codebeamer.skeleton.plan import Plan
from airflow_codebeamer.skeleton.records import intents
from airflow_codebeamer.skeleton.snapshot import order_of
from airflow_codebeamer.skeleton.steps import (
    Create,
    Discard,
    Move,
    Reorder,
    Spot,
    Update,
)

__all__ = ["Applied", "Applier", "Progress", "apply_plan"]

_BATCH = 50
_BEGUN_AT_ONCE = 2000


@dataclass(frozen=True)
class Progress:
    """How far a phase is; phases are create, update, move and reorder."""

    phase: str
    done: int
    total: int


@dataclass(frozen=True)
class Applied:
    """What was written: new items by key, and how many of each other step.

    `trashed` are second items that a lost answer had made; they are in the
    trash again.
    """

    created: Mapping[str, ItemId] = field(default_factory=dict)
    updated: int = 0
    moved: int = 0
    reordered: int = 0
    trashed: tuple[ItemId, ...] = ()


def apply_plan(
    plan: Plan,
    client: Client,
    journal: Journal,
    runs: Runs,
    run: Run,
    guard: Callable[[], None],
    progress: Callable[[Progress], None] | None = None,
    *,
    settle_seconds: float = 15.0,
    clock: Clock | None = None,
    is_resumed: bool = False,
    prove: Callable[[Applied], None] | None = None,
) -> Applied:
    """Make the tracker what the plan says; the run is `applying` from then on.

    Every intent is in the journal before the first write. The caller verifies
    and sets the run to done, or rolls it back. `settle_seconds` is how long a
    request whose answer was lost may still take effect; what a dead try of a run
    that `is_resumed` may have sent is looked for in the end. `prove` is called
    before anything goes to the trash, for which there is no way back.

    Not promised: atomicity. After an error the tracker is half written until
    `roll_back` has run.

    Raises:
        LockLostError: the guard says so; nothing is sent after it.
        SkeletonError: the server refused a change; names the items.
        CodebeamerError: whatever else stopped it.
    """
    if plan.is_empty and not is_resumed:
        return Applied()
    runs.open_run(run)
    numbers: list[int] = []
    waiting = intents(plan)
    # Some at a time: all of them are written down before the first request.
    while some := list(islice(waiting, _BEGUN_AT_ONCE)):
        numbers += journal.begin_many(run.run_id, some, epoch=run.epoch)
    runs.set_state(run.run_id, RunState.APPLYING)
    crew = Crew(
        client.settings.connections, guard, clock or SystemClock(), settle_seconds
    )
    notes = _Notes(journal, numbers, progress or _quiet)
    return Applier(plan, client, crew, notes, is_resumed=is_resumed).apply(
        prove or _quiet
    )


class _Notes:
    """Outcomes on their way to the journal, and progress to whoever listens."""

    def __init__(
        self,
        journal: Journal,
        numbers: list[int],
        progress: Callable[[Progress], None],
    ) -> None:
        self._journal = journal
        self._numbers = numbers
        self._progress = progress
        self._door = threading.Lock()
        self._waiting: list[tuple[int, JSON]] = []
        self._done: dict[str, int] = {}

    def note(self, phase: str, total: int, outcomes: Mapping[int, JSON]) -> None:
        with self._door:
            self._waiting += [(self._numbers[n], o) for n, o in outcomes.items()]
            if len(self._waiting) >= _BATCH:
                self._flush()
            self._done[phase] = self._done.get(phase, 0) + len(outcomes)
            self._progress(Progress(phase, self._done[phase], total))

    def close_header(self) -> None:
        with self._door:
            self._waiting.append((self._numbers[0], {}))

    def flush(self) -> None:
        with self._door:
            self._flush()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._journal.finish_many(waiting)


class Applier:
    """One application of one plan: creations, updates, moves, orders."""

    def __init__(
        self,
        plan: Plan,
        client: Client,
        crew: Crew,
        notes: _Notes,
        *,
        is_resumed: bool = False,
    ) -> None:
        self._plan = plan
        self._client = client
        self._crew = crew
        self._notes = notes
        self._tracker_id: TrackerId = plan.snapshot.tracker_id
        self._shapes = plan.snapshot.wishes.shapes
        self._created: dict[str, ItemId] = {}
        self._repeated: set[str] = (
            {create.key for create in plan.creates} if is_resumed else set()
        )
        # The header is entry 0, then the steps in this order.
        steps = (
            *plan.creates,
            *plan.updates,
            *plan.moves,
            *plan.reorders,
            *plan.discards,
        )
        self._numbers = {id(step): number for number, step in enumerate(steps, 1)}

    def apply(self, prove: Callable[[Applied], None]) -> Applied:
        """Do it; see `apply_plan`."""
        try:
            self._create_all()
            self._update_all()
            self._crew.run([self._outline_all])
            applied = self._applied(self._trash_copies())
            self._notes.flush()
            prove(applied)
            self._crew.run([self._discard_all])
            self._notes.close_header()
        finally:
            self._notes.flush()
        return applied

    def _applied(self, trashed: tuple[ItemId, ...]) -> Applied:
        return Applied(
            created=dict(self._created),
            updated=len(self._plan.updates),
            moved=len(self._plan.moves),
            reordered=len(self._plan.reorders),
            trashed=trashed,
        )

    def _create_all(self) -> None:
        chains: dict[Spot | None, list[Create]] = {}
        for create in self._plan.creates:
            chains.setdefault(create.parent, []).append(create)
        # A chain below a new item starts when that item is there.
        self._chains = chains
        new = {create.key for create in self._plan.creates}
        ready = [chain for parent, chain in chains.items() if parent not in new]
        self._crew.run(partial(self._create_chain, chain) for chain in ready)

    def _create_chain(self, chain: list[Create]) -> None:
        for create in chain:
            item_id, repeated = self._crew.write(
                partial(self._create, create), partial(self._find, create.key)
            )
            if repeated:
                self._repeated.add(create.key)
            self._created[create.key] = item_id
            self._note("create", create, {"item": item_id})
            if create.key in self._chains:
                self._crew.add(partial(self._create_chain, self._chains[create.key]))

    def _create(self, create: Create, before: Before) -> ItemId:
        place = Place(
            self._number(create.parent), self._number(create.reference), create.position
        )
        new = create.new_item(self._shapes)
        try:
            created = self._client.items.create_item(
                self._tracker_id, new, place, before=before
            )
        except ApiError as error:
            error.add_note(f"while creating {create.key!r} ({create.name!r})")
            raise
        return created.id

    def _find(self, key: str) -> ItemId | None:
        """Return the item that a lost request may have made."""
        found = self._with_key(self._items(), key)
        return found[0] if found else None

    def _with_key(self, items: list[Item], key: str) -> list[ItemId]:
        identity = self._plan.snapshot.wishes.keeper
        before = self._plan.snapshot.items
        return sorted(
            item.id
            for item in items
            if item.id not in before and identity.read(item) == key
        )

    def _update_all(self) -> None:
        writer = BulkWriter(
            self._client, self._crew, self._shapes, self._created, self._note_updates
        )
        writer.write(self._plan.updates)

    def _note_updates(self, chunk: Sequence[Update]) -> None:
        total = len(self._plan.updates)
        self._notes.note("update", total, {self._numbers[id(u)]: {} for u in chunk})

    def _outline_all(self) -> None:
        """Moves and orders, one after the other: each index counts on the last."""
        for move in self._plan.moves:
            self._crew.write(partial(self._move, move), partial(self._is_moved, move))
            self._note("move", move, {})
        for step in self._plan.reorders:
            self._crew.write(
                partial(self._reorder, step), partial(self._is_ordered, step)
            )
            self._note("reorder", step, {})

    def _discard_all(self) -> None:
        """Trash what is gone from the document, the lowest first."""
        for step in self._plan.discards:
            self._crew.write(partial(self._discard, step), partial(self._is_gone, step))
            self._note("discard", step, {})
        numbers = ", ".join(str(step.item_id) for step in self._plan.discards)
        left = self._client.items.query(f"item.id IN ({numbers})") if numbers else []
        if left:
            names = ", ".join(f"item {item.id} ({item.name!r})" for item in left[:5])
            raise SkeletonError(f"The server did not trash {names}: look there.")

    def _discard(self, step: Discard, before: Before) -> bool:
        with suppress(NotFoundError):
            self._client.items.delete_item(step.item_id, before=before)
        return True

    def _is_gone(self, step: Discard) -> bool | None:
        return None if self._client.items.count(f"item.id = {step.item_id}") else True

    def _move(self, move: Move, before: Before) -> bool:
        target = self._number(move.target)
        self._client.items.insert_child(
            target, self._tracker_id, move.item_id, move.index, before=before
        )
        return True

    def _is_moved(self, move: Move) -> bool | None:
        now = order_of(self._items()).get(self._number(move.target), ())
        return True if now[move.index : move.index + 1] == (move.item_id,) else None

    def _reorder(self, step: Reorder, before: Before) -> bool:
        parent, after = self._number(step.parent), self._numbers_of(step.after)
        self._client.items.set_children(parent, self._tracker_id, after, before=before)
        return True

    def _is_ordered(self, step: Reorder) -> bool | None:
        now = order_of(self._items()).get(self._number(step.parent), ())
        return True if list(now) == self._numbers_of(step.after) else None

    def _trash_copies(self) -> tuple[ItemId, ...]:
        """Trash second items of keys whose creation was sent more than once."""
        if not self._repeated:
            return ()
        items = self._items()
        copies = tuple(
            item_id
            for key in sorted(self._repeated)
            for item_id in self._with_key(items, key)
            if item_id != self._created[key]
        )
        for item_id in copies:
            self._client.items.delete_item(item_id, before=self._crew.check)
        return copies

    def _items(self) -> list[Item]:
        return list_tracker_items(self._client, self._tracker_id)

    def _number(self, spot: Spot | None) -> ItemId | None:
        return self._created[spot] if isinstance(spot, str) else spot

    def _numbers_of(self, spots: tuple[Spot, ...]) -> list[ItemId]:
        return [
            self._created[spot] if isinstance(spot, str) else spot for spot in spots
        ]

    def _note(
        self, phase: str, step: Create | Move | Reorder | Discard, outcome: JSON
    ) -> None:
        total = {
            "create": len(self._plan.creates),
            "move": len(self._plan.moves),
            "reorder": len(self._plan.reorders),
            "discard": len(self._plan.discards),
        }[phase]
        self._notes.note(phase, total, {self._numbers[id(step)]: outcome})


def _quiet(_: object) -> None:
    pass
