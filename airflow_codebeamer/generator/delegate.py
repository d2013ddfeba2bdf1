"""A program that writes by itself: surveyed before, compared after, put back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from pydantic import SecretStr

from airflow_codebeamer.client import Client
from airflow_codebeamer.clock import Clock
from airflow_codebeamer.generator.launchers import (
    Access,
    Surroundings,
    open_relay,
    run_program,
)
from airflow_codebeamer.generator.program import Program
from airflow_codebeamer.generator.protocol import GeneratorContext
from airflow_codebeamer.journal import Journal, Run, Runs, RunState
from airflow_codebeamer.skeleton import (
    Difference,
    RollbackReport,
    Survey,
    difference,
    put_back,
    read_survey,
    survey_entries,
    survey_of,
)

__all__ = ["Delegates"]

_SHOWN = 50


class Delegates:
    """Runs programs of the kind `delegate`, and undoes what they did.

    What stood in the tracker before is in the journal, so that whoever releases the
    lock of a dead worker can put it back.

    Not promised: what `put_back` does not promise. Comments, attachments and
    associations are neither compared nor put back.
    """

    def __init__(
        self, client: Client, journal: Journal, runs: Runs, clock: Clock
    ) -> None:
        self._client = client
        self._journal = journal
        self._runs = runs
        self._clock = clock

    def survey(self, run: Run) -> Survey:
        """Look at the tracker and write down what stands there, before the run."""
        before = read_survey(self._client, run.tracker_id)
        self._journal.begin_many(run.run_id, survey_entries(before), epoch=run.epoch)
        self._runs.set_state(run.run_id, RunState.APPLYING)
        return before

    def run(
        self,
        program: Program,
        context: GeneratorContext,
        around: Surroundings,
        guard: Callable[[], None],
    ) -> None:
        """Let the program write.

        Raises:
            GeneratorError, LockLostError: as `run_program`.
        """
        with self._access(program, guard) as access:
            run_program(program, context, replace(around, access=access))

    def look(self, before: Survey, say: Callable[[str], None]) -> Difference:
        """Return what the program did, and say it."""
        now = read_survey(self._client, before.tracker_id, before.shapes)
        found = difference(before, now)
        for line in found.lines[:_SHOWN]:
            say(line)
        if len(found.lines) > _SHOWN:
            say(f"… and {len(found.lines) - _SHOWN} more")
        return found

    def find(self, run: Run) -> Survey | None:
        """Return what stood there before a run, None if no program ran in it."""
        return survey_of(self._journal.list_entries(run.run_id))

    def roll_back(
        self,
        run: Run,
        before: Survey,
        guard: Callable[[], None],
        settle_seconds: float,
    ) -> RollbackReport:
        """Put the tracker back to what it was before the run.

        Raises:
            LockLostError: the guard says so; the run stays open.
        """
        self._clock.sleep(settle_seconds)
        report = put_back(before, self._client, guard)
        state = RunState.ROLLBACK_INCOMPLETE if report.left else RunState.ROLLED_BACK
        summary = {"undone": len(report.undone), "left": list(report.left)}
        self._runs.set_state(run.run_id, state, summary)
        return report

    @contextmanager
    def _access(self, program: Program, guard: Callable[[], None]) -> Iterator[Access]:
        if program.access == "relay":
            with open_relay(self._client, guard) as access:
                yield access
            return
        server = self._client.settings
        yield Access(
            url=server.base,
            login=server.login,
            password=_open(server.password),
            token=_open(server.token),
            per_second=server.requests_per_second,
            per_minute=server.requests_per_minute,
        )


def _open(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()
