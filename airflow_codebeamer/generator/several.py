"""Several documents written under several locks, and undone as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from airflow_codebeamer.errors import ConfigurationError, LockLostError
from airflow_codebeamer.generator.parts import Guard, Parts, new_run, new_run_id
from airflow_codebeamer.generator.summary import RunSummary, UndoReport, summed
from airflow_codebeamer.ids import RunId, TrackerId
from airflow_codebeamer.journal import JSON, Run
from airflow_codebeamer.locking import Lock
from airflow_codebeamer.skeleton import (
    Document,
    Plan,
    PlanSet,
    RollbackReport,
    Targets,
    done_with,
)

__all__ = ["Several", "check_several"]


class Several:
    """Applies the plans of a set one after the other; all are done, or none.

    The run of each tracker stays open until the last one is proven, and then all of
    them are done by one transaction of the store. So whoever finds an open one
    after a crash, each tracker for itself, undoes it. What goes to the trash goes
    last of all.

    Not promised: going on with what an earlier try left. It is undone first.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def plan(self, documents: Sequence[Document]) -> PlanSet:
        """Return what would be done, in the order in which it would; reads only.

        Raises:
            SkeletonError: what `Targets` and its `plan` raise.
        """
        return Targets(
            self._parts.client, documents, self._parts.application.owned_before
        ).plan()

    def apply(
        self,
        wanted: PlanSet,
        locks: Sequence[Lock],
        guard: Guard,
        run_key: str,
        warnings: Sequence[str] = (),
    ) -> RunSummary:
        """Write what was planned, prove it, and set all of it to done.

        Raises:
            ConfigurationError: a tracker is not among the locks.
            LockLostError: one of the locks is lost; all runs stay open.
            CodebeamerError: whatever failed; what was written is undone.
        """
        by_tracker = {lock.tracker_id: lock for lock in locks}
        _check_locked(wanted, by_tracker)
        writing = _Writing(self._parts, by_tracker, str(new_run_id(run_key)))
        stoppable = self._parts.stoppable(guard)
        try:
            plans = [writing.write(plan, wanted, stoppable) for plan in wanted.plans]
            for plan in plans:
                writing.discard(plan, stoppable)
            self._parts.runs.set_all_done(writing.summaries)
        except LockLostError:
            raise
        except BaseException as error:
            self._fail(writing.runs, error, guard)
            raise
        done = PlanSet(tuple(plans), wanted.targets)
        return summed(
            done.counts,
            warnings=(*warnings, *done.warnings),
            run_id=writing.set_id if writing.runs else "",
        )

    def undo(self, locks: Sequence[Lock], guard: Guard) -> UndoReport:
        """Roll back every open run under these locks, the newest first of all.

        Raises:
            LockLostError: a lock is lost; what is left stays open.
        """
        undone: list[str] = []
        left: list[str] = []
        for lock in self._parts.runs.newest_first(locks):
            report = self._parts.rollbacks.undo(lock, guard)
            undone += report.undone
            left += report.left
        return UndoReport(tuple(undone), tuple(left))

    def roll_back(self, runs: Sequence[Run], guard: Guard) -> RollbackReport:
        """Put back what runs changed that are undone as one, the last one first.

        Raises:
            CodebeamerError: as `Rollbacks.roll_back`; what is left can be gone on with.
        """
        undone: list[str] = []
        left: list[str] = []
        outside: list[str] = []
        for run in reversed(runs):
            report = self._parts.rollbacks.roll_back(run, guard)
            undone += report.undone
            left += report.left
            outside += report.outside
        return RollbackReport(tuple(undone), tuple(left), tuple(outside))

    def _fail(self, runs: Sequence[Run], error: BaseException, guard: Guard) -> None:
        for run in reversed(runs):
            if not self._parts.rollbacks.fail(run, error, guard):
                # What it points at must not go before it.
                return


class _Writing:
    """The runs of one set while they are written."""

    def __init__(
        self, parts: Parts, locks: Mapping[TrackerId, Lock], set_id: str
    ) -> None:
        self._parts = parts
        self._locks = locks
        self.set_id = set_id
        self.runs: list[Run] = []
        self.summaries: dict[RunId, JSON] = {}

    def write(self, planned: Plan, wanted: PlanSet, guard: Guard) -> Plan:
        """Write one plan without what it trashes; return it as it was right."""
        targets, tracker_id = wanted.targets, planned.snapshot.tracker_id
        plan = self._parts.application.prepare(planned.document, tracker_id, planned)
        plan = targets.settle(plan)
        targets.learn(plan)
        rest = replace(plan, discards=())
        if not rest.is_empty:
            self._parts.say(f"{plan.text(0)}.")
            applied = self._parts.application.write(rest, self._begin(plan), guard)
            targets.note(plan, applied.created)
        return plan

    def discard(self, plan: Plan, guard: Guard) -> None:
        """Trash what the document does not name any more; the last thing to do."""
        if plan.discards:
            only = replace(plan, creates=(), updates=(), moves=(), reorders=())
            run = self._begin(plan)
            self._parts.application.write(only, run, guard, is_proven=True)

    def _begin(self, plan: Plan) -> Run:
        lock = self._locks[plan.snapshot.tracker_id]
        run_id = RunId(f"{self.set_id}.{len(self.runs) + 1}")
        document = plan.document
        run = new_run(
            lock,
            run_id,
            document.policy.on_failure,
            document=document.owner,
            set_id=self.set_id,
        )
        self.runs.append(run)
        self.summaries[run_id] = done_with(plan)
        return self.runs[-1]


def check_several(documents: Sequence[Document], locks: Sequence[Lock]) -> None:
    """Refuse one document under several locks: its tracker is anybody's guess.

    Raises:
        ConfigurationError: it is one, and they are several.
    """
    if len(documents) == 1 < len(locks):
        raise ConfigurationError(
            "tracker_id",
            f"the lock is of {len(locks)} trackers, and one document is described: say "
            "which one the generator fills, or describe a document for each",
        )


def _check_locked(wanted: PlanSet, locks: Mapping[TrackerId, Lock]) -> None:
    missing = [one for one in wanted.targets.tracker_ids if one not in locks]
    if missing:
        raise ConfigurationError(
            "lock",
            f"a document is for tracker {missing[0]}, which is not locked: lock "
            f"{', '.join(map(str, wanted.targets.tracker_ids))} together",
        )
