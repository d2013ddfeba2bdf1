"""Describe, plan, write under the lock, and undo what did not end well."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from airflow_codebeamer.client import Client
from airflow_codebeamer.clock import Clock
from airflow_codebeamer.errors import ConfigurationError, LockLostError
from airflow_codebeamer.generator.delegate import Delegates
from airflow_codebeamer.generator.delegating import run_delegate
from airflow_codebeamer.generator.launchers import Surroundings, describe
from airflow_codebeamer.generator.loader import load_generator
from airflow_codebeamer.generator.parts import Guard, Parts, new_run, new_run_id
from airflow_codebeamer.generator.program import Program
from airflow_codebeamer.generator.protocol import GeneratorContext
from airflow_codebeamer.generator.rollbacks import Rollbacks
from airflow_codebeamer.generator.several import Several, check_several
from airflow_codebeamer.generator.summary import RunSummary, UndoReport, summed
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.journal import Journal, Run, Runs
from airflow_codebeamer.locking import Lock, LockEngine
from airflow_codebeamer.skeleton import (
    Application,
    Document,
    FieldUpdate,
    Plan,
    PlanSet,
    Progress,
    RollbackReport,
    Skeleton,
)

__all__ = ["Runner", "What"]

Documents = tuple[Document, ...]
#: What a run can be about: a generator in whatever form, or a document itself.
What = str | Callable[..., Any] | Program | Mapping[str, Any] | Document | Documents


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
        self._runs = runs
        self._clock = clock
        self._say = say or _nothing
        self._delegates = Delegates(client, journal, runs, clock)
        self._rollbacks = Rollbacks(
            client,
            journal,
            runs,
            self._delegates,
            clock=clock,
            settle_seconds=settle.total_seconds(),
            say=self._say,
        )
        self._application = Application(
            client,
            journal,
            runs,
            clock=clock,
            settle_seconds=settle.total_seconds(),
            say=self._say,
            progress=progress or _nothing,
        )
        self._parts = Parts(
            client=client,
            engine=engine,
            journal=journal,
            runs=runs,
            application=self._application,
            rollbacks=self._rollbacks,
            clock=clock,
            say=self._say,
            progress=progress or _nothing,
            stop=stop or threading.Event(),
        )
        self._several = Several(self._parts)

    def describe_all(
        self,
        generator: What,
        args: Mapping[str, Any],
        tracker_id: TrackerId,
        *,
        run_key: str = "",
        dry_run: bool = False,
        around: Surroundings | None = None,
    ) -> Documents:
        """Return the documents that the generator describes, one or several.

        A document, or several, are returned as they are.

        Raises:
            GeneratorNotFoundError: there is no such generator.
            ConfigurationError: arguments that it does not take, or a program that
                writes itself and describes nothing.
            GeneratorFailedError: it failed; the exception of a function is the
                cause.
            GeneratorSkippedError: it says that there is nothing to do.
            DocumentError: what it described is no document.
        """
        if isinstance(generator, tuple):
            return generator
        if isinstance(generator, Skeleton | FieldUpdate):
            return (generator,)
        context = GeneratorContext(tracker_id, run_key, dry_run, dict(args))
        return describe(
            load_generator(generator), context, around or self._parts.surroundings()
        )

    def plan(
        self, generator: What, args: Mapping[str, Any], tracker_id: TrackerId
    ) -> tuple[Document, Plan]:
        """Return what would be done; reads only and needs no lock.

        Raises:
            PlanConflictError: somebody else edited what the document owns.
            ConfigurationError: it describes several documents.
            CodebeamerError: what `describe_all` raises, and what the server says.
        """
        document = _only(self.describe_all(generator, args, tracker_id, dry_run=True))
        return document, self._application.prepare(document, tracker_id)

    def plan_all(
        self, generator: What, args: Mapping[str, Any], tracker_id: TrackerId
    ) -> PlanSet:
        """Return what would be done in all trackers that it describes; reads only.

        Raises:
            CodebeamerError: as `plan`; what is wrong with several documents.
        """
        found = self.describe_all(generator, args, tracker_id, dry_run=True)
        return self._several.plan(found)

    def apply_all(
        self,
        generator: What,
        args: Mapping[str, Any],
        locks: Sequence[Lock],
        *,
        run_key: str,
        planned: PlanSet | None = None,
    ) -> RunSummary:
        """Do with several trackers what `apply` does with one; all of it, or none.

        What an earlier try under the same locks left open is undone first.

        Raises:
            ConfigurationError: a document is for a tracker that is not locked, or
                there is but one.
            LockLostError: somebody else has one of the trackers; nothing more is
                written, and all runs stay open for recovery to undo.
            CodebeamerError: as `apply`; what was written anywhere is undone.
        """
        started, sent = self._clock.monotonic(), self._client.requests_made
        warnings: list[str] = []
        with self._parts.renewed(locks) as guard:
            around = self._parts.surroundings(run_key, locks, guard, warnings)
            if planned is None:
                first = min(lock.tracker_id for lock in locks)
                found = self.describe_all(
                    generator, args, first, run_key=run_key, around=around
                )
                check_several(found, locks)
            self._several.undo(locks, guard)
            wanted = planned or self._several.plan(found)
            summary = self._several.apply(wanted, locks, guard, run_key, warnings)
        return replace(
            summary,
            requests=self._client.requests_made - sent,
            seconds=round(self._clock.monotonic() - started, 3),
        )

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
            return run_delegate(self._parts, self._delegates, program, context, lock)
        started, sent = self._clock.monotonic(), self._client.requests_made
        warnings: list[str] = []
        with self._parts.renewed([lock]) as guard:
            around = self._parts.surroundings(run_key, [lock], guard, warnings)
            document = _only(
                self.describe_all(
                    generator, args, tracker_id, run_key=run_key, around=around
                )
            )
            run, rest = self._go_on(lock, document, guard)
            wanted = rest or self._application.prepare(document, tracker_id, planned)
            level, owner = document.policy.on_failure, document.owner
            run = run or new_run(lock, new_run_id(run_key), level, document=owner)
            try:
                self._application.carry_out(
                    wanted,
                    run,
                    self._parts.stoppable(guard),
                    is_resumed=rest is not None,
                )
            except LockLostError:
                raise
            except BaseException as error:
                self._rollbacks.fail(run, error, guard)
                raise
        return summed(
            wanted.counts,
            warnings=(*warnings, *wanted.warnings),
            requests=self._client.requests_made - sent,
            seconds=self._clock.monotonic() - started,
            run_id="" if wanted.is_empty else run.run_id,
        )

    def undo(self, lock: Lock, guard: Guard) -> UndoReport:
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
        with self._parts.renewed([lock]) as guard:
            return self._rollbacks.roll_back(run, guard)

    def roll_back_all(
        self, runs: Sequence[Run], locks: Sequence[Lock]
    ) -> RollbackReport:
        """Put back what runs changed that are undone as one, the last one first.

        Raises:
            CodebeamerError: as `roll_back`.
        """
        with self._parts.renewed(locks) as guard:
            return self._several.roll_back(runs, guard)

    def writes_itself(self, generator: What) -> bool:
        """Whether it is a program of the kind `delegate`, which nobody can plan."""
        return self._delegate_of(generator) is not None

    def _delegate_of(self, generator: What) -> Program | None:
        if isinstance(generator, Skeleton | FieldUpdate | tuple):
            return None
        found = load_generator(generator)
        is_program = isinstance(found, Program) and found.kind == "delegate"
        return found if is_program and isinstance(found, Program) else None

    def _go_on(
        self, lock: Lock, document: Document, guard: Guard
    ) -> tuple[Run | None, Plan | None]:
        """Return the run that an earlier try left, and what is left of it to do."""
        left = self._runs.list_open(lock.server, lock.tracker_id, lineage=lock.lineage)
        if len(left) == 1 and self._delegates.find(left[0]) is None:
            rest = self._application.resume(document, left[0], guard)
            if rest is not None:
                return left[0], rest
        self.undo(lock, guard)
        return None, None


def _nothing(_: object) -> None:
    pass


def _only(found: Documents) -> Document:
    if len(found) > 1:
        raise ConfigurationError(
            "generator",
            f"it describes {len(found)} documents; lock all of their trackers, "
            "and give the task no tracker of its own",
        )
    return found[0]
