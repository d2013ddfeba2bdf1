"""A runner for two accounts that write in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow_codebeamer.client import Client
from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.generator.runner import Runner, What
from airflow_codebeamer.generator.summary import RunSummary, UndoReport
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.journal import Run
from airflow_codebeamer.locking import Lock
from airflow_codebeamer.skeleton import Plan, PlanSet, RollbackReport

__all__ = ["TurnRunner"]


class TurnRunner(Runner):
    """Writes as the account whose turn it is under a lock, and reads as either.

    `runner_for` makes a runner of a client, `writer_of` says whose turn it is. The
    account that may set permissions takes no part: neither a generator nor a
    program gets to see it.
    """

    def __init__(
        self,
        runner_for: Callable[..., Runner],
        writer_of: Callable[[Lock], Client],
        *given: Any,
        **more: Any,
    ) -> None:
        super().__init__(*given, **more)
        self._runner_for = runner_for
        self._writer_of = writer_of

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
        """Apply as the writer of the lock; see `Runner.apply`."""
        return self._under(lock).apply(
            generator, args, tracker_id, lock, run_key=run_key, planned=planned
        )

    def apply_all(
        self,
        generator: What,
        args: Mapping[str, Any],
        locks: Sequence[Lock],
        *,
        run_key: str,
        planned: PlanSet | None = None,
    ) -> RunSummary:
        """Apply as the one writer of all locks; see `Runner.apply_all`.

        Raises:
            ConfigurationError: it is not the same one's turn on all trackers.
        """
        return self._under(*locks).apply_all(
            generator, args, locks, run_key=run_key, planned=planned
        )

    def undo(self, lock: Lock, guard: Callable[[], None]) -> UndoReport:
        """Undo as the writer of the lock; see `Runner.undo`."""
        return self._under(lock).undo(lock, guard)

    def roll_back(self, run: Run, lock: Lock) -> RollbackReport:
        """Roll back as the writer of the lock; see `Runner.roll_back`."""
        return self._under(lock).roll_back(run, lock)

    def roll_back_all(
        self, runs: Sequence[Run], locks: Sequence[Lock]
    ) -> RollbackReport:
        """Roll back as the one writer of all locks; see `Runner.roll_back_all`.

        Raises:
            ConfigurationError: it is not the same one's turn on all trackers.
        """
        return self._under(*locks).roll_back_all(runs, locks)

    def _under(self, *locks: Lock) -> Runner:
        clients = {id(one): one for one in map(self._writer_of, locks)}
        if len(clients) != 1:
            raise ConfigurationError(
                "rotation",
                "the trackers have different writers at the moment: write to each by "
                "itself, or lock those that go together in one lock only",
            )
        return self._runner_for(*clients.values())
