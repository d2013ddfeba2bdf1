"""Runs that keep their tracker locked as long as they are not undone whole."""

from __future__ import annotations

from collections.abc import Callable

from airflow_codebeamer.errors import CodebeamerError, LockLostError, Retry
from airflow_codebeamer.ids import Lineage
from airflow_codebeamer.journal import JSON, Level, Run, Runs, RunState
from airflow_codebeamer.skeleton import RollbackReport

__all__ = ["KEEP_LOCKED", "Quarantine"]

#: How a run says that nobody may write before a person has seen what is left of it.
KEEP_LOCKED = {"on_failure": "restore_or_keep_locked"}


class Quarantine:
    """Knows which runs hold a lock back, and what a person said of them."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    def list_runs(self, lineage: Lineage | None) -> list[Run]:
        """Return the runs of a lock that could not be undone whole, oldest first.

        Raises:
            DatabaseError: the store cannot be read.
        """
        if lineage is None:
            return []
        return [
            run
            for run in self._runs.list_lineage(lineage)
            if run.state is RunState.ROLLBACK_INCOMPLETE and self.holds(run)
        ]

    def holds(self, run: Run) -> bool:
        """Whether a run that leaves something keeps its tracker locked."""
        level = Level.of(run)
        return level.name == KEEP_LOCKED["on_failure"] and not level.accepted

    def tried(self, undo: Callable[[], RollbackReport]) -> RollbackReport:
        """Return what an undoing did; what no repetition helps is left.

        Raises:
            LockLostError: somebody else goes on with it.
            CodebeamerError: the server or the store does not answer; it may later.
        """
        try:
            return undo()
        except LockLostError:
            raise
        except CodebeamerError as error:
            if error.retry is not Retry.NEVER:
                raise
            return RollbackReport((), (str(error),))
        except Exception as error:
            return RollbackReport((), (f"{type(error).__name__}: {error}",))

    def accept(self, lineage: Lineage | None, said: str) -> list[str]:
        """Write down that what is left stays; return a line for each run.

        Raises:
            DatabaseError: the store does not let it; it can be said again.
        """
        if lineage is None:
            return []
        found = [
            run
            for run in self._runs.list_lineage(lineage)
            if self.holds(run)
            and (run.state.is_open or run.state is RunState.ROLLBACK_INCOMPLETE)
        ]
        lines: list[str] = []
        for run in found:
            summary: dict[str, JSON] = {
                **(run.summary if isinstance(run.summary, dict) else {}),
                "accepted": said,
            }
            state = RunState.ROLLBACK_INCOMPLETE
            self._runs.set_state(run.run_id, state, summary)
            left = summary.get("left")
            lines += [str(one) for one in left] if isinstance(left, list) else []
        return lines
