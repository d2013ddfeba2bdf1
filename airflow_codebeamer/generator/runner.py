"""Describe, plan, write under the lock, and undo what did not end well."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from airflow_codebeamer.client import Client
from airflow_codebeamer.clock import Clock
from airflow_codebeamer.errors import (
    GeneratorStoppedError,
    LockLostError,
)
from airflow_codebeamer.generator.checkpoints import Checkpoints
from airflow_codebeamer.generator.delegate import Delegates
from airflow_codebeamer.generator.launchers import Lease, Surroundings, describe
from airflow_codebeamer.generator.loader import load_generator
from airflow_codebeamer.generator.program import Program
from airflow_codebeamer.generator.protocol import GeneratorContext
from airflow_codebeamer.generator.rollbacks import LEVELS, Rollbacks
from airflow_codebeamer.generator.summary import RunSummary, UndoReport
from airflow_codebeamer.ids import Lineage, RunId, TrackerId
from airflow_codebeamer.journal import Journal, Run, Runs, RunState
from airflow_codebeamer.locking import Heartbeat, Lock, LockEngine
from airflow_codebeamer.skeleton import (
    Application,
    Document,
    FieldUpdate,
    Plan,
    Progress,
    RollbackReport,
    Skeleton,
)

__all__ = ["Runner", "What"]

#: What a run can be about: a generator in whatever form, or a document itself.
What = str | Callable[..., Any] | Program | Mapping[str, Any] | Document


class Runner:
    """Makes a tracker equal to what a generator describes, or leaves it as it was.

    Describing and planning read only. `apply` writes under a lock that the
    caller holds, renews it meanwhile, reads back what it wrote, and undoes all
    of it when anything fails. A run whose lock is lost is left open, since
    somebody else may be writing by then: `undo` is what recovery calls for it.
    `settle` is how long a request without an answer may still take effect, `stop`
    ends a program or a writing when it is set.

    Not promised: numbers, versions, histories and e-mails of items that were
    created or changed and then put back.
    """

    def __init__(
        self,
        client: Client,
        engine: LockEngine,
        journal: Journal,
        runs: Runs,
        *,
        clock: Clock,
        settle: timedelta = timedelta(seconds=15),
        say: Callable[[str], None] | None = None,
        progress: Callable[[Progress], None] | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._client = client
        self._engine = engine
        self._journal = journal
        self._runs = runs
        self._clock = clock
        self._settle_seconds = settle.total_seconds()
        self._say = say or _nothing
        self._delegates = Delegates(client, journal, runs, clock)
        self._rollbacks = Rollbacks(
            client,
            journal,
            runs,
            self._delegates,
            clock=clock,
            settle_seconds=self._settle_seconds,
            say=self._say,
        )
        self._progress = progress or _nothing
        self._application = Application(
            client,
            journal,
            runs,
            clock=clock,
            settle_seconds=self._settle_seconds,
            say=self._say,
            progress=self._progress,
        )
        self._stop = stop or threading.Event()

    def describe(
        self,
        generator: What,
        args: Mapping[str, Any],
        tracker_id: TrackerId,
        *,
        run_key: str = "",
        dry_run: bool = False,
        around: Surroundings | None = None,
    ) -> Document:
        """Return the document that the generator describes; a document as it is.

        Raises:
            GeneratorNotFoundError: there is no such generator.
            ConfigurationError: arguments that it does not take, or a program that
                writes itself and describes nothing.
            GeneratorFailedError: it failed; the exception of a function is the
                cause.
            GeneratorSkippedError: it says that there is nothing to do.
            DocumentError: what it described is no document.
        """
        if isinstance(generator, Skeleton | FieldUpdate):
            return generator
        context = GeneratorContext(tracker_id, run_key, dry_run, dict(args))
        return describe(
            load_generator(generator), context, around or self._surroundings()
        )

    def plan(
        self, generator: What, args: Mapping[str, Any], tracker_id: TrackerId
    ) -> tuple[Document, Plan]:
        """Return what would be done; reads only and needs no lock.

        Raises:
            PlanConflictError: somebody else edited what the document owns.
            CodebeamerError: what `describe` raises, and what the server says.
        """
        document = self.describe(generator, args, tracker_id, dry_run=True)
        return document, self._application.prepare(document, tracker_id)

    def apply(
        self,
        generator: What,
        args: Mapping[str, Any],
        tracker_id: TrackerId,
        lock: Lock,
        *,
        run_key: str,
        planned: Plan | None = None,
    ) -> RunSummary:
        """Describe, plan, write, verify; undo everything if that fails.

        A program of the kind `delegate` writes by itself instead, between two
        looks at the tracker. Of every other kind the whole document is
        described before anything is written, so a generator that fails half-way
        has changed nothing. What an earlier try under the same lock left open is
        gone on with. What was `planned` before the lock is not read a second
        time, only what has changed since.

        Raises:
            LockLostError: somebody else has the tracker; nothing more is
                written, and the run stays open for recovery to undo.
            VerificationError: the tracker, read back, is not what was written.
            CodebeamerError: whatever failed, with a note that says what the
                rollback did and what it could not put back.
        """
        program = self._delegate_of(generator)
        if program is not None:
            context = GeneratorContext(tracker_id, run_key, False, dict(args))
            return self._delegate(program, context, lock)
        started, sent = self._clock.monotonic(), self._client.requests_made
        warnings: list[str] = []
        with Heartbeat(self._engine, lock) as heartbeat:
            document = self.describe(
                generator,
                args,
                tracker_id,
                run_key=run_key,
                around=self._surroundings(run_key, lock, heartbeat, warnings),
            )
            guard = self._stoppable(heartbeat)
            run, rest = self._go_on(lock, document, heartbeat.guard)
            level = document.policy.on_failure
            wanted = rest or self._application.prepare(document, tracker_id, planned)
            run = run or self._new_run(lock, run_key, level)
            try:
                self._application.carry_out(
                    wanted, run, guard, is_resumed=rest is not None
                )
            except LockLostError:
                raise
            except BaseException as error:
                self._rollbacks.fail(run, error, heartbeat.guard)
                raise
        return self._summary(wanted, run, started, sent, warnings)

    def undo(self, lock: Lock, guard: Callable[[], None]) -> UndoReport:
        """Roll back every open run of the lock's lineage, the newest first.

        This is the hook that a release and a recovery call before permissions
        are restored. Nothing open is an empty report.

        Raises:
            LockLostError: the guard says so; what is left stays open.
        """
        return self._rollbacks.undo(lock, guard)

    def roll_back(self, run: Run, lock: Lock) -> RollbackReport:
        """Put back what one run changed, under a lock that the caller holds.

        Raises:
            LockLostError: somebody else has the tracker; what is left stays.
            ConfigurationError: a program wrote by itself, and the run ended well:
                what it changed cannot be told from what came later.
        """
        with Heartbeat(self._engine, lock) as heartbeat:
            return self._rollbacks.roll_back(run, heartbeat.guard)

    def writes_itself(self, generator: What) -> bool:
        """Whether it is a program of the kind `delegate`, which nobody can plan."""
        return self._delegate_of(generator) is not None

    def _delegate_of(self, generator: What) -> Program | None:
        if isinstance(generator, Skeleton | FieldUpdate):
            return None
        found = load_generator(generator)
        is_program = isinstance(found, Program) and found.kind == "delegate"
        return found if is_program and isinstance(found, Program) else None

    def _delegate(
        self, program: Program, context: GeneratorContext, lock: Lock
    ) -> RunSummary:
        """Let a program write by itself, and say or undo what it did."""
        started, sent = self._clock.monotonic(), self._client.requests_made
        warnings: list[str] = []
        with Heartbeat(self._engine, lock) as heartbeat:
            around = self._surroundings(context.run_key, lock, heartbeat, warnings)
            self.undo(lock, heartbeat.guard)
            run = self._new_run(lock, context.run_key, program.on_failure)
            self._runs.open_run(run)
            try:
                before = self._delegates.survey(run)
                self._delegates.run(
                    program, context, around, self._stoppable(heartbeat)
                )
                found = self._delegates.look(before, self._say)
                self._runs.set_state(run.run_id, RunState.DONE, found.counts)
            except LockLostError:
                raise
            except BaseException as error:
                self._rollbacks.fail(run, error, heartbeat.guard)
                raise
        counts = found.counts
        return RunSummary(
            created=counts["created"],
            updated=counts["updated"],
            moved=counts["moved"],
            unchanged=counts["unchanged"],
            pruned=counts["deleted"],
            warnings=(*warnings, *found.left),
            requests=self._client.requests_made - sent,
            seconds=round(self._clock.monotonic() - started, 3),
            run_id=run.run_id,
        )

    def _surroundings(
        self,
        run_key: str = "",
        lock: Lock | None = None,
        heartbeat: Heartbeat | None = None,
        warnings: list[str] | None = None,
    ) -> Surroundings:
        """Return what a program has around it; without a lock it only plans."""
        around = Surroundings(
            say=self._say, progress=self._progress, stop=self._stop, clock=self._clock
        )
        if lock is None or heartbeat is None:
            return around
        ends = self._engine.parts.deadlines
        checkpoints = Checkpoints(self._journal, run_key)
        return replace(
            around,
            lease=Lease(
                heartbeat.guard,
                lambda: max(0.0, (ends.find(lock) or 0.0) - self._clock.monotonic()),
            ),
            checkpoint=checkpoints.last(),
            remember=checkpoints.remember,
            warn=_nothing if warnings is None else warnings.append,
        )

    def _stoppable(self, heartbeat: Heartbeat) -> Callable[[], None]:
        """Return the guard of a run that may be told to stop as well."""

        def guard() -> None:
            if self._stop.is_set():
                raise GeneratorStoppedError(
                    "generate", "the task was told to stop; what it wrote is undone"
                )
            heartbeat.guard()

        return guard

    def _new_run(self, lock: Lock, run_key: str, level: str) -> Run:
        return Run(
            run_id=RunId(f"{run_key or 'run'}/{uuid4().hex[:12]}"),
            tracker_id=lock.tracker_id,
            summary=LEVELS.get(level),
            server=lock.server,
            lineage=lock.lineage or Lineage(""),
            epoch=lock.epoch,
            owner=lock.owner.key,
        )

    def _go_on(
        self, lock: Lock, document: Document, guard: Callable[[], None]
    ) -> tuple[Run | None, Plan | None]:
        """Return the run that an earlier try left, and what is left of it to do."""
        left = self._runs.list_open(lock.server, lock.tracker_id, lineage=lock.lineage)
        if len(left) == 1 and self._delegates.find(left[0]) is None:
            rest = self._application.resume(document, left[0], guard)
            if rest is not None:
                return left[0], rest
        self.undo(lock, guard)
        return None, None

    def _summary(
        self, wanted: Plan, run: Run, started: float, sent: int, warnings: list[str]
    ) -> RunSummary:
        counts = wanted.counts
        return RunSummary(
            created=counts["created"],
            updated=counts["updated"],
            moved=counts["moved"],
            unchanged=counts["unchanged"],
            pruned=counts["pruned"],
            warnings=(*warnings, *wanted.warnings),
            requests=self._client.requests_made - sent,
            seconds=round(self._clock.monotonic() - started, 3),
            run_id="" if wanted.is_empty else run.run_id,
        )


def _nothing(_: object) -> None:
    pass
