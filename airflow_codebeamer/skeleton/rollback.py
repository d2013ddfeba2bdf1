"""Undo a run, from its journal and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from airflow_codebeamer.client import Before, Client
from airflow_codebeamer.clock import Clock, SystemClock
from airflow_codebeamer.errors import (
    BadRequestError,
    CodebeamerError,
    ForbiddenError,
    ItemLockedError,
    NotFoundError,
    OutcomeUnknownError,
    ServerError,
)
from airflow_codebeamer.ids import ItemId, TrackerId
from airflow_codebeamer.journal import JSON, Journal, Level, Run, Runs, RunState
from airflow_codebeamer.models import FieldValue, ItemPatch
from airflow_codebeamer.skeleton.associations import read_associations
from airflow_codebeamer.skeleton.attachments import read_attachments
from airflow_codebeamer.skeleton.crew import Crew
from airflow_codebeamer.skeleton.look import list_tracker_items
from airflow_codebeamer.skeleton.outside import outside_effects
from airflow_codebeamer.skeleton.parting import Part, Parts
from airflow_codebeamer.skeleton.plan import BULK
from airflow_codebeamer.skeleton.records import Record, read_record
from airflow_codebeamer.skeleton.sending import Sending, sending
from airflow_codebeamer.skeleton.undo import (
    MoveBack,
    PutBack,
    Sort,
    Trash,
    Undo,
    decide,
)

__all__ = ["RollbackReport", "list_written", "roll_back", "summary_of"]

#: Lost answers and items that are locked for a moment get another chance.
_ROUNDS = 4


@dataclass(frozen=True)
class RollbackReport:
    """What was undone and what could not be, a line each.

    `outside` is what our account changed in other trackers since the run began; who
    caused that nobody can tell, so it is no part of what is left.
    """

    undone: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()


def roll_back(
    run: Run,
    client: Client,
    journal: Journal,
    runs: Runs,
    guard: Callable[[], None],
    *,
    settle_seconds: float = 0.0,
    clock: Clock | None = None,
) -> RollbackReport:
    """Put the tracker back to what it was before the run, as far as it can be.

    Created items go to the trash, changed fields, parents and orders get their
    old values, but only where they still have the run's. It looks before and
    after, so it can be repeated after a crash. The run is `rolled_back` then, or
    `rollback_incomplete` if anything is left. `settle_seconds` is waited before
    looking, for requests of a dead process that may still take effect.

    Not promised: numbers, versions, histories and e-mails stay as they are.

    Raises:
        LockLostError: the guard says so; the run stays open.
        CodebeamerError: no way to the server or the store; the run stays open.
    """
    found = runs.find_run(run.run_id)
    if found is not None and found.state is RunState.ROLLED_BACK:
        return RollbackReport()
    record = read_record(journal.list_entries(run.run_id))
    report = RollbackReport()
    if not record.is_empty:
        clock = clock or SystemClock()
        clock.sleep(settle_seconds)
        crew = Crew(client.settings.connections, guard, clock, settle_seconds)
        report = _WayBack(client, run.tracker_id, crew, record).go()
    state = RunState.ROLLBACK_INCOMPLETE if report.left else RunState.ROLLED_BACK
    runs.set_state(run.run_id, state, summary_of(report, found or run))
    return report


def summary_of(report: RollbackReport, run: Run) -> dict[str, JSON]:
    """Return what the store keeps of an undone run, its level first of all."""
    told: dict[str, JSON] = {"undone": len(report.undone), "left": list(report.left)}
    if report.outside:
        told["outside"] = list(report.outside)
    return {**Level.of(run).to_json(), **told}


def list_written(
    run: Run, client: Client, journal: Journal, runs: Runs
) -> RollbackReport:
    """Say what a rollback would undo, and undo nothing; a line each, all `left`.

    The run is `rollback_incomplete` then; `roll_back` can still undo it.

    Raises:
        CodebeamerError: no way to the server or the store; the run stays open.
    """
    record = read_record(journal.list_entries(run.run_id))
    left: list[str] = []
    if not record.is_empty:
        undo = _look(client, run.tracker_id, record)
        left = [f"{says} if it were undone" for says in undo.list_steps()] + undo.left
    runs.set_state(run.run_id, RunState.ROLLBACK_INCOMPLETE, {"left": list(left)})
    return RollbackReport((), tuple(left))


def _look(
    client: Client,
    tracker_id: TrackerId,
    record: Record,
    stuck: Collection[ItemId] = (),
) -> Undo:
    """Read the tracker and decide what is to be undone."""
    items = list_tracker_items(client, tracker_id)
    there = {item.id for item in items}
    linked = [item_id for item_id in record.associations if item_id in there]
    given = [item_id for item_id in record.attachments if item_id in there]
    parts = Parts(
        read_associations(client, linked, {}), read_attachments(client, given)
    )
    return decide(record, items, stuck, parts)


_REFUSED = (
    BadRequestError,
    ForbiddenError,
    ItemLockedError,
    NotFoundError,
    OutcomeUnknownError,
    ServerError,
)
#: It may have happened all the same.
_UNSURE = (OutcomeUnknownError, ServerError)


class _WayBack:
    """Looks, undoes what is still to be undone, and looks again."""

    def __init__(
        self, client: Client, tracker_id: TrackerId, crew: Crew, record: Record
    ) -> None:
        self._items = client.items
        self._client = client
        self._tracker_id = tracker_id
        self._crew = crew
        self._record = record
        self._stuck: set[ItemId] = set()
        self._given_up: set[str] = set()
        self._refusals: dict[str, str] = {}
        self._one_by_one = False

    def go(self) -> RollbackReport:
        seen: dict[str, None] = {}
        undo = self._decide()
        began = undo.began
        rounds = 0
        while undo.list_steps() and rounds < _ROUNDS:
            before = len(self._stuck), self._one_by_one
            seen.update(dict.fromkeys(undo.list_steps()))
            self._perform(undo)
            rounds += before == (len(self._stuck), self._one_by_one)
            undo = self._decide()
        remaining = undo.list_steps()
        left = [self._refused(says) for says in remaining]
        not_done = {*remaining, *self._given_up}
        undone = [says for says in seen if says not in not_done]
        outside = outside_effects(
            self._client, self._tracker_id, self._record.account, began
        )
        return RollbackReport(tuple(undone), (*undo.left, *left), outside)

    def _refused(self, says: str) -> str:
        subject, _, deed = says.rpartition(": ")
        reason = self._refusals.get(says) or "no answer"
        return f"{subject}: not {deed}: {reason}"

    def _decide(self) -> Undo:
        return _look(self._client, self._tracker_id, self._record, self._stuck)

    def _perform(self, undo: Undo) -> None:
        self._refusals.clear()
        self._crew.run(partial(self._part, step) for step in undo.parts)
        if not all(self._move(step) for step in undo.moves):
            # Each index counts on the moves before it, and what hangs below a
            # created item must be out of it for certain.
            return
        # What points at a created item must not do so any more when that goes.
        for start in range(0, len(undo.updates), BULK):
            self._put_back(undo.updates[start : start + BULK])
        if not self._one_by_one and any(step.below is not None for step in undo.trash):
            self._trash_whole(undo.trash)
            return
        by_depth = groupby(undo.trash, key=lambda step: step.depth)
        for _, level in by_depth:
            # "Not there" is fine: it went with what stood above it, as the next
            # look will show.
            self._trash(level)
        for step in undo.sorts:
            self._sort(step)

    def _trash_whole(self, steps: Iterable[Trash]) -> None:
        """Trash the tops of created trees, which may take all below along.

        One request for a tree instead of one for each of its items, all of which
        are ours. Whether they went along is for the next look to say; if not,
        they go one by one. Tops whose answer was lost get another chance.
        """
        troubles = self._trash(step for step in steps if step.below is None)
        self._one_by_one = not any(isinstance(error, _UNSURE) for error in troubles)

    def _trash(self, steps: Iterable[Trash]) -> list[CodebeamerError]:
        """Trash items side by side; return what stood in the way."""
        troubles: list[CodebeamerError] = []

        def trash(step: Trash) -> None:
            error = self._send(
                step.says, partial(self._items.delete_item, step.item_id)
            )
            if error is not None:
                troubles.append(error)

        self._crew.run(partial(trash, step) for step in steps)
        return troubles

    def _send(self, says: str, send: Sending) -> CodebeamerError | None:
        try:
            send(before=self._crew.check)
        except _REFUSED as error:
            self._refusals[says] = str(error)
            return error
        return None

    def _part(self, step: Part) -> None:
        self._send(step.says, sending(self._client, step))

    def _move(self, step: MoveBack) -> bool:
        error = self._send(
            step.says,
            partial(
                self._items.insert_child,
                step.parent,
                self._tracker_id,
                step.item_id,
                step.index,
            ),
        )
        if error is not None and not isinstance(error, _UNSURE):
            self._stuck.add(step.item_id)
            self._given_up.add(step.says)
        return error is None

    def _put_back(self, steps: list[PutBack]) -> None:
        self._put_values({step.item_id: (step.says, step.values) for step in steps})
        longest = max(len(step.later) for step in steps)
        for stage in range(longest):
            # What failed before fails again here, and the next look says so.
            self._put_values(
                {
                    step.item_id: (step.says, step.later[stage : stage + 1])
                    for step in steps
                    if len(step.later) > stage and step.says not in self._refusals
                }
            )

    def _put_values(
        self, wanted: Mapping[ItemId, tuple[str, tuple[FieldValue, ...]]]
    ) -> None:
        patches = [
            ItemPatch(item_id, values) for item_id, (_, values) in wanted.items()
        ]

        def send(*, before: Before) -> None:
            result = self._items.update_many(patches, atomic=False, before=before)
            for failure in result.failed:
                name, _ = wanted.get(ItemId(failure.id), (str(failure.id), ()))
                self._refusals[name] = failure.message

        if self._send("", send) is not None:
            reason = self._refusals.pop("")
            says = [name for name, _ in wanted.values()]
            self._refusals.update(dict.fromkeys(says, reason))

    def _sort(self, step: Sort) -> None:
        self._send(
            step.says,
            partial(
                self._items.set_children, step.parent, self._tracker_id, step.children
            ),
        )
