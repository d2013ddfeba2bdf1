"""What a program wants to be told when it is run again."""

from __future__ import annotations

from typing import Any

from airflow_codebeamer.journal import Journal

__all__ = ["Checkpoints"]

_KIND = "checkpoint"


class Checkpoints:
    """The states that the programs of one run left, in the lock store.

    They are found by the run, so a retry of the task, on whichever worker, is told
    the last one. Without a run's name nothing is kept.
    """

    def __init__(self, journal: Journal, run_key: str) -> None:
        self._journal = journal
        self._scope = f"generator/{run_key}" if run_key else ""

    def last(self) -> Any:
        """Return the last state, None if there is none."""
        if not self._scope:
            return None
        entries = self._journal.list_entries(self._scope, kind=_KIND)
        return entries[-1].intent if entries else None

    def remember(self, state: Any) -> None:
        """Keep a state, on the disk when this returns.

        Raises:
            DatabaseError: it is not kept.
        """
        if self._scope:
            self._journal.begin(self._scope, _KIND, "", state)
