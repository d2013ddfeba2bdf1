"""Carry out a plan: written down first, guarded, and never twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from airflow_codebeamer.client import Before, Client
from airflow_codebeamer.clock import Clock, SystemClock
from airflow_codebeamer.errors import ApiError, BadRequestError, SkeletonError
from airflow_codebeamer.ids import ItemId, TrackerId
from airflow_codebeamer.journal import JSON, Journal, Run, Runs, RunState
from airflow_codebeamer.models import BulkResult, Item, ItemPatch, Place
from airflow_codebeamer.skeleton.crew import Crew
from airflow_codebeamer.skeleton.fields import is_same
from airflow_codebeamer.skeleton.look import list_tracker_items
from airflow_codebeamer.skeleton.plan import BULK, Plan
from airflow_codebeamer.skeleton.records import intents
from airflow_codebeamer.skeleton.snapshot import order_of
from airflow_codebeamer.skeleton.steps import Create, Move, Reorder, Spot, Update

__all__ = ["Applied", "Applier", "Progress", "apply_plan"]

_BATCH = 50


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
) -> Applied:
    """Make the tracker what the plan says; the run is `applying` from then on.

    Every intent is in the journal before the first write. The caller verifies
    and sets the run to done, or rolls it back. `settle_seconds` is how long a
    request whose answer was lost may still take effect.

    Not promised: atomicity. After an error the tracker is half written until
    `roll_back` has run.

    Raises:
        LockLostError: the guard says so; nothing is sent after it.
        SkeletonError: the server refused a change; names the items.
        CodebeamerError: whatever else stopped it.
    """
    if plan.is_empty:
        return Applied()
    runs.open_run(run)
    numbers = journal.begin_many(run.run_id, intents(plan), epoch=run.epoch)
    runs.set_state(run.run_id, RunState.APPLYING)
    crew = Crew(
        client.settings.connections, guard, clock or SystemClock(), settle_seconds
    )
    notes = _Notes(journal, numbers, progress or _quiet)
    return Applier(plan, client, crew, notes).apply()


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

    def __init__(self, plan: Plan, client: Client, crew: Crew, notes: _Notes) -> None:
        self._plan = plan
        self._client = client
        self._crew = crew
        self._notes = notes
        self._tracker_id: TrackerId = plan.snapshot.tracker_id
        self._shapes = plan.snapshot.wishes.shapes
        self._created: dict[str, ItemId] = {}
        self._repeated: set[str] = set()
        # The header is entry 0, then the steps in this order.
        steps = (*plan.creates, *plan.updates, *plan.moves, *plan.reorders)
        self._numbers = {id(step): number for number, step in enumerate(steps, 1)}

    def apply(self) -> Applied:
        """Do it; see `apply_plan`."""
        try:
            self._create_all()
            self._update_all()
            self._crew.run([self._outline_all])
            trashed = self._trash_copies()
            self._notes.close_header()
        finally:
            self._notes.flush()
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
        identity = self._plan.snapshot.wishes.identity
        before = self._plan.snapshot.items
        return sorted(
            item.id
            for item in items
            if item.id not in before and identity.read(item) == key
        )

    def _update_all(self) -> None:
        updates = self._plan.updates
        self._crew.run(
            partial(self._update_chunk, updates[start : start + BULK])
            for start in range(0, len(updates), BULK)
        )

    def _update_chunk(self, chunk: tuple[Update, ...]) -> None:
        self._crew.write(partial(self._update, chunk), partial(self._is_updated, chunk))
        total = len(self._plan.updates)
        self._notes.note("update", total, {self._numbers[id(u)]: {} for u in chunk})

    def _update(self, chunk: tuple[Update, ...], before: Before) -> bool:
        patches = [
            ItemPatch(
                update.item_id,
                tuple(self._shapes[c.field_id].wire(c.after) for c in update.changes),
            )
            for update in chunk
        ]
        try:
            result = self._client.items.update_many(patches, atomic=True, before=before)
        except BadRequestError as error:
            if not error.failed:
                raise
            raise _refused(chunk, dict(error.failed)) from error
        if result.failed:
            raise _refused(chunk, _failures(result))
        return True

    def _is_updated(self, chunk: tuple[Update, ...]) -> bool | None:
        items = {item.id: item for item in self._items()}
        done = all(
            update.item_id in items
            and is_same(
                self._shapes[change.field_id],
                self._shapes[change.field_id].read(items[update.item_id]),
                change.after,
            )
            for update in chunk
            for change in update.changes
        )
        return True if done else None

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

    def _note(self, phase: str, step: Create | Move | Reorder, outcome: JSON) -> None:
        total = {
            "create": len(self._plan.creates),
            "move": len(self._plan.moves),
            "reorder": len(self._plan.reorders),
        }[phase]
        self._notes.note(phase, total, {self._numbers[id(step)]: outcome})


def _failures(result: BulkResult) -> dict[int, str]:
    return {failure.id: failure.message for failure in result.failed}


def _refused(chunk: tuple[Update, ...], failed: Mapping[int, str]) -> SkeletonError:
    keys = {update.item_id: update.key for update in chunk}
    lines = [
        f"{keys.get(ItemId(item_id), '?')} (item {item_id}): {message}"
        for item_id, message in failed.items()
    ]
    # The server's own sentences may end with a period.
    reasons = "; ".join(line.rstrip(". ") for line in lines[:5])
    return SkeletonError(
        f"The server refused to change {len(lines)} item(s), this request changed "
        f"nothing: {reasons}."
    )


def _quiet(_: Progress) -> None:
    pass
