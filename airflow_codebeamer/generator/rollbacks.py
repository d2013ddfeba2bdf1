"""Undoing runs: the failed one at once, those of the dead when a lock is released."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from airflow_codebeamer.client import Client
from airflow_codebeamer.clock import Clock
from airflow_codebeamer.errors import (
    CodebeamerError,
    ConfigurationError,
    GeneratorFailedError,
    QuarantinedError,
    ServerError,
    TransportError,
)
from airflow_codebeamer.generator.delegate import Delegates
from airflow_codebeamer.generator.quarantine import KEEP_LOCKED, Quarantine
from airflow_codebeamer.generator.summary import UndoReport
from airflow_codebeamer.journal import JSON, Journal, Run, Runs, RunState
from airflow_codebeamer.locking import Lock
from airflow_codebeamer.skeleton import RollbackReport, list_written, roll_back

__all__ = ["KEEP", "LEVELS", "REPORT", "Rollbacks"]

#: How an open run says that nobody shall undo it.
KEEP = {"on_failure": "keep"}
#: And how that it shall only be told what it wrote.
REPORT = {"on_failure": "report"}
#: What an open run says for each level; to be undone needs no word.
LEVELS: Mapping[str, JSON] = {
    "keep": KEEP,
    "report": REPORT,
    "restore_or_keep_locked": KEEP_LOCKED,
}


class Rollbacks:
    """Puts back what runs wrote, whether by a plan or by a program of its own."""

    def __init__(
        self,
        client: Client,
        journal: Journal,
        runs: Runs,
        delegates: Delegates,
        *,
        clock: Clock,
        settle_seconds: float,
        say: Callable[[str], None],
    ) -> None:
        self._client = client
        self._journal = journal
        self._runs = runs
        self._delegates = delegates
        self._clock = clock
        self._settle_seconds = settle_seconds
        self._say = say
        self.quarantine = Quarantine(runs)

    def undo(self, lock: Lock, guard: Callable[[], None]) -> UndoReport:
        """Roll back every open run of the lock's lineage, the newest first.

        So it does with one that keeps the tracker locked and is not undone whole.

        Raises:
            LockLostError: the guard says so; what is left stays open.
            QuarantinedError: something is left of one that keeps the tracker locked.
        """
        undone: list[str] = []
        left: list[str] = []
        held: list[str] = []
        open_runs = self._runs.list_open(
            lock.server, lock.tracker_id, lineage=lock.lineage
        )
        for run in reversed([*self.quarantine.list_runs(lock.lineage), *open_runs]):
            if run.summary == KEEP:
                self._runs.set_state(run.run_id, RunState.DONE)
                self._say(f"Run {run.run_id} is left as it is: its document says so.")
                continue
            if run.summary == REPORT:
                left += self._listed(run)
                continue
            try_it = partial(self._roll_back, run, guard, self._settle_seconds)
            if self.quarantine.holds(run):
                report = self.quarantine.tried(try_it)
                held += report.left
            else:
                report = try_it()
                left += report.left
            undone += report.undone
            self._say(f"Run {run.run_id} rolled back: {_outcome(report)}.")
        if held:
            raise QuarantinedError(lock.tracker_id, held)
        return UndoReport(tuple(undone), tuple(left))

    def roll_back(self, run: Run, guard: Callable[[], None]) -> RollbackReport:
        """Put back what one run changed.

        Raises:
            ConfigurationError: a program wrote by itself, and the run ended well.
        """
        if run.state is RunState.DONE and self._delegates.find(run) is not None:
            raise ConfigurationError(
                "RUN",
                f"in run {run.run_id} a program wrote by itself and ended well: what "
                "it changed cannot be told from what came later, so put it right there",
            )
        return self._roll_back(run, guard, self._settle_seconds)

    def fail(self, run: Run, error: BaseException, guard: Callable[[], None]) -> bool:
        """Roll back under the lock; the error that started it stays the error.

        Returns whether the run is ended; if not, somebody has to go on with it.
        """
        if self._runs.find_run(run.run_id) is None:
            return True
        if run.summary == KEEP:
            self._runs.set_state(run.run_id, RunState.DONE)
            error.add_note("What was written stays, as the document says.")
            return True
        if run.summary == REPORT:
            for line in self._listed(run):
                error.add_note(f"Written, and not undone, as the document says: {line}")
            return True
        self._say(f"Run {run.run_id} failed, undoing it: {error}")
        is_unsure = isinstance(
            error, TransportError | ServerError | GeneratorFailedError
        )
        try:
            report = self._roll_back(
                run, guard, self._settle_seconds if is_unsure else 0.0
            )
        except CodebeamerError as trouble:
            error.add_note(
                f"The run is not undone yet ({trouble}); releasing the lock or "
                "`airflow-codebeamer recover` goes on with it."
            )
            return False
        sentence = f"The run was rolled back: {_outcome(report)}."
        error.add_note(sentence)
        self._say(sentence)
        return True

    def _listed(self, run: Run) -> tuple[str, ...]:
        """Tell what a run wrote, and undo nothing."""
        before = self._delegates.find(run)
        left = (
            list_written(run, self._client, self._journal, self._runs)
            if before is None
            else self._delegates.list_written(run, before)
        ).left
        self._say(f"Run {run.run_id} wrote this, and it stays: {'; '.join(left)}.")
        return left

    def _roll_back(
        self, run: Run, guard: Callable[[], None], settle_seconds: float
    ) -> RollbackReport:
        before = self._delegates.find(run)
        if before is not None:
            return self._delegates.roll_back(run, before, guard, settle_seconds)
        return roll_back(
            run,
            self._client,
            self._journal,
            self._runs,
            guard,
            settle_seconds=settle_seconds,
            clock=self._clock,
        )


def _outcome(report: RollbackReport) -> str:
    done = f"{len(report.undone)} changes undone"
    if report.left:
        rest = "; ".join(report.left[:5])
        done += f", {len(report.left)} could not be undone: {rest}"
    else:
        done += ", nothing is left of it"
    if report.outside:
        done += f"; in other trackers: {'; '.join(report.outside[:5])}"
    return done
