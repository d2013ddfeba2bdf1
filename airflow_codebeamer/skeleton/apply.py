"""Carry out a plan: written down first, guarded, and never twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from airflow_codebeamer.client import Client
from airflow_codebeamer.clock import Clock, SystemClock
from airflow_codebeamer.ids import ItemId
from airflow_codebeamer.journal import Journal, Run, Runs, RunState
from airflow_codebeamer.models import Association
from airflow_codebeamer.skeleton.associating import Associator
from airflow_codebeamer.skeleton.attaching import Attacher
from airflow_codebeamer.skeleton.bulk import BulkWriter
from airflow_codebeamer.skeleton.creating import Creator
from airflow_codebeamer.skeleton.crew import Crew
from airflow_codebeamer.skeleton.placing import Placer
from airflow_codebeamer.skeleton.plan import Plan
from airflow_codebeamer.skeleton.records import intents
from airflow_codebeamer.skeleton.writing import Notes, Progress, Writing

__all__ = ["Applied", "apply_plan"]

_BEGUN_AT_ONCE = 2000


@dataclass(frozen=True)
class Applied:
    """What was written: new items by key, new links, how many of each other step.

    `trashed` are second items that a lost answer had made; they are in the
    trash again.
    """

    created: Mapping[str, ItemId] = field(default_factory=dict)
    updated: int = 0
    moved: int = 0
    reordered: int = 0
    trashed: tuple[ItemId, ...] = ()
    associations: tuple[Association, ...] = ()


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
    notes = Notes(journal, numbers, tuple(plan.steps), progress or _quiet)
    writing = Writing(plan, client, crew, notes)
    return _Application(writing, is_resumed=is_resumed).apply(prove or _quiet)


class _Application:
    """One application of one plan: creations, updates, moves, orders."""

    def __init__(self, writing: Writing, *, is_resumed: bool) -> None:
        self._writing = writing
        self._creator = Creator(writing, is_resumed=is_resumed)
        self._placer = Placer(writing)
        self._associator = Associator(writing)
        self._attacher = Attacher(writing)

    def apply(self, prove: Callable[[Applied], None]) -> Applied:
        notes = self._writing.notes
        try:
            self._creator.create_all()
            self._update_all()
            self._placer.place_all()
            self._associator.associate_all()
            self._attacher.attach_all()
            applied = self._applied(self._creator.trash_copies())
            notes.flush()
            prove(applied)
            self._placer.discard_all()
            notes.close_header()
        finally:
            notes.flush()
        return applied

    def _applied(self, trashed: tuple[ItemId, ...]) -> Applied:
        plan = self._writing.plan
        return Applied(
            created=dict(self._writing.created),
            updated=len(plan.updates),
            moved=len(plan.moves),
            reordered=len(plan.reorders),
            trashed=trashed,
            associations=tuple(self._associator.made),
        )

    def _update_all(self) -> None:
        writing = self._writing
        writer = BulkWriter(
            writing.client,
            writing.crew,
            writing.plan.snapshot.wishes.shapes,
            writing.created,
            lambda chunk: writing.notes.note(chunk, {}),
        )
        writer.write(writing.plan.updates)


def _quiet(_: object) -> None:
    pass
