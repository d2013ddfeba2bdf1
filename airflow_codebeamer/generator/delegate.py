"""A program that writes by itself: surveyed before, compared after, put back."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from pydantic import SecretStr

from airflow_codebeamer.client import Client
from airflow_codebeamer.clock import Clock
from airflow_codebeamer.errors import ApiError
from airflow_codebeamer.generator.launchers import (
    Access,
    Surroundings,
    open_relay,
    run_program,
)
from airflow_codebeamer.generator.program import Program
from airflow_codebeamer.generator.protocol import GeneratorContext
from airflow_codebeamer.ids import ItemId, Lineage
from airflow_codebeamer.journal import Journal, Run, Runs, RunState
from airflow_codebeamer.locking import register_job
from airflow_codebeamer.skeleton import (
    FILES,
    Difference,
    RollbackReport,
    Survey,
    files_before,
    look_again,
    put_back,
    read_survey,
    summary_of,
    survey_entries,
    survey_of,
)

__all__ = ["Delegates"]

_SHOWN = 50
#: A comment may bring files along.
_FILES_OF = re.compile(r"/api/v3/items/(\d+)/(?:attachments|comments)\b")


class Delegates:
    """Runs programs of the kind `delegate`, and undoes what they did.

    What stood in the tracker before is in the journal, so that whoever releases the
    lock of a dead worker can put it back.

    Not promised: what `put_back` does not promise. Files of items are seen where the
    program reached for them through the relay, by the item's number; one that writes
    to the server directly may leave files behind.
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
        run: Run,
        program: Program,
        context: GeneratorContext,
        around: Surroundings,
        guard: Callable[[], None],
    ) -> None:
        """Let the program write in a run.

        Raises:
            GeneratorError, LockLostError: as `run_program`.
        """
        with self._access(run, program, guard) as access:
            run_program(program, context, replace(around, access=access))

    def look(self, run: Run, before: Survey, say: Callable[[str], None]) -> Difference:
        """Return what the program did in a run, and say it."""
        _, found = look_again(self._client, self.find(run) or before)
        for line in found.lines[:_SHOWN]:
            say(line)
        if len(found.lines) > _SHOWN:
            say(f"… and {len(found.lines) - _SHOWN} more")
        return found

    def find(self, run: Run) -> Survey | None:
        """Return what stood there before a run, None if no program ran in it."""
        return survey_of(self._journal.list_entries(run.run_id))

    def list_written(self, run: Run, before: Survey) -> RollbackReport:
        """Say what a program did, and undo nothing; a line each, all `left`."""
        _, found = look_again(self._client, before)
        left = (*found.left, *found.lines)
        summary = {"left": list(left)}
        self._runs.set_state(run.run_id, RunState.ROLLBACK_INCOMPLETE, summary)
        return RollbackReport((), left)

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
        self._runs.set_state(run.run_id, state, summary_of(report, run))
        return report

    @contextmanager
    def _access(
        self, run: Run, program: Program, guard: Callable[[], None]
    ) -> Iterator[Access]:
        if program.access == "relay":
            reached = _Reached(self._client, self._journal, run)
            started = partial(
                register_job, self._journal, Lineage(run.lineage), run.epoch
            )
            with open_relay(self._client, guard, reached, started) as access:
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


class _Reached:
    """Writes down the files of an item before the program touches the first one."""

    def __init__(self, client: Client, journal: Journal, run: Run) -> None:
        self._client = client
        self._journal = journal
        self._run = run
        self._door = threading.Lock()
        self._known: set[str] = set()

    def __call__(self, path: str) -> None:
        found = _FILES_OF.match(path)
        if found is None:
            return
        with self._door:
            if found[1] in self._known:
                return
            try:
                files = files_before(self._client, ItemId(int(found[1])))
            except ApiError:
                # No such item, or not ours to see: the program will be told so too.
                return
            self._journal.begin(
                self._run.run_id, FILES, found[1], files, epoch=self._run.epoch
            )
            self._known.add(found[1])


def _open(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()
