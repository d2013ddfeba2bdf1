"""Application: a document brought to its tracker under a lock, from plan to proof."""

from __future__ import annotations

from collections.abc import Callable

from airflow_codebeamer.client import Client
from airflow_codebeamer.clock import Clock
from airflow_codebeamer.errors import SkeletonError, VerificationError
from airflow_codebeamer.ids import FieldId, TrackerId
from airflow_codebeamer.journal import Journal, Run, Runs, RunState
from airflow_codebeamer.skeleton.adoption import adopted
from airflow_codebeamer.skeleton.apply import Applied, apply_plan
from airflow_codebeamer.skeleton.associations import with_associations
from airflow_codebeamer.skeleton.attachments import with_attachments
from airflow_codebeamer.skeleton.delta import read_written, refresh
from airflow_codebeamer.skeleton.document import Document
from airflow_codebeamer.skeleton.look import read_snapshot
from airflow_codebeamer.skeleton.past import with_past
from airflow_codebeamer.skeleton.plan import Plan
from airflow_codebeamer.skeleton.planning import plan
from airflow_codebeamer.skeleton.released import done_with, owned_before
from airflow_codebeamer.skeleton.snapshot import Snapshot
from airflow_codebeamer.skeleton.verify import verify
from airflow_codebeamer.skeleton.writing import Progress

__all__ = ["Application"]

Guard = Callable[[], None]


class Application:
    """Plans what is right under the lock, writes it, reads it back, or undoes it.

    A run that a crash left open is gone on with: what it wrote is in the tracker
    and needs no step any more, so the rest of it is planned anew and written into
    the same run. `settle_seconds` is how long a request without an answer may
    still take effect.

    Not promised: that a run which was resumed wrote each thing in the same order.
    """

    def __init__(
        self,
        client: Client,
        journal: Journal,
        runs: Runs,
        *,
        clock: Clock,
        settle_seconds: float,
        say: Callable[[str], None],
        progress: Callable[[Progress], None],
    ) -> None:
        self._client = client
        self._journal = journal
        self._runs = runs
        self._clock = clock
        self._settle_seconds = settle_seconds
        self._say = say
        self._progress = progress

    def prepare(
        self, document: Document, tracker_id: TrackerId, planned: Plan | None = None
    ) -> Plan:
        """Return the plan as it is right under the lock.

        What was planned before the lock is looked at again with one request, as
        long as nothing but values of fields has changed meanwhile.

        Raises:
            SkeletonError: it cannot be planned (any more).
        """
        if planned is None or planned.snapshot.tracker_id != tracker_id:
            return plan(document, self._read(tracker_id, document))
        snapshot = refresh(self._client, planned.snapshot)
        snapshot = with_associations(self._client, snapshot)
        sent = [s.item_id for s in planned.attaches if not isinstance(s.item_id, str)]
        snapshot = with_attachments(self._client, snapshot, sent)
        if snapshot is planned.snapshot:
            return planned
        snapshot = adopted(document, snapshot)
        again = plan(document, with_past(self._client, document, snapshot))
        if again.digest != planned.digest:
            self._say("Others changed the tracker after it was planned: planned anew.")
        return again

    def resume(self, document: Document, run: Run, guard: Guard) -> Plan | None:
        """Return the rest of a run that a dead try left; None: undo it.

        Raises:
            LockLostError: the guard says so.
        """
        self._clock.sleep(self._settle_seconds)
        guard()
        try:
            rest = plan(document, self._read(run.tracker_id, document))
        except SkeletonError as error:
            self._say(f"Run {run.run_id} cannot be gone on with ({error}).")
            return None
        self._say(f"Run {run.run_id} is gone on with: {rest.text(0)}.")
        return rest

    def carry_out(
        self, wanted: Plan, run: Run, guard: Guard, *, is_resumed: bool = False
    ) -> None:
        """Write, read back, and set the run to done; an empty plan needs nothing.

        Raises:
            VerificationError: the tracker, read back, is not what was written.
            CodebeamerError: whatever stopped it; the run is still open.
        """
        if wanted.is_empty and not is_resumed:
            return
        self.write(wanted, run, guard, is_resumed=is_resumed)
        self._runs.set_state(run.run_id, RunState.DONE, done_with(wanted))

    def write(
        self,
        wanted: Plan,
        run: Run,
        guard: Guard,
        *,
        is_resumed: bool = False,
        is_proven: bool = False,
    ) -> Applied:
        """Write and read back; the run stays open, whatever comes of it.

        What `is_proven` need not be read back.

        Raises:
            VerificationError: the tracker, read back, is not what was written.
            CodebeamerError: whatever stopped it.
        """
        run = self._runs.open_run(run)

        def prove(applied: Applied) -> None:
            if is_proven:
                return
            now = read_written(self._client, wanted, applied.created)
            now = with_associations(self._client, now, applied.associations)
            sent = [
                applied.created[spot] if isinstance(spot, str) else spot
                for spot in (step.item_id for step in wanted.attaches)
            ]
            now = with_attachments(self._client, now, sent)
            findings = verify(wanted, now)
            if findings:
                raise VerificationError(findings)

        applied = apply_plan(
            wanted,
            self._client,
            self._journal,
            self._runs,
            run,
            guard,
            self._progress,
            settle_seconds=self._settle_seconds,
            clock=self._clock,
            is_resumed=is_resumed,
            prove=prove,
        )
        if is_resumed:
            self._close(run)
        return applied

    def owned_before(
        self, tracker_id: TrackerId, document: Document
    ) -> frozenset[FieldId]:
        """Return the fields that the document's last run owned, if it is to know."""
        server = self._client.settings.base
        return owned_before(self._runs, server, tracker_id, document)

    def _read(self, tracker_id: TrackerId, document: Document) -> Snapshot:
        before = self.owned_before(tracker_id, document)
        return read_snapshot(self._client, tracker_id, document, owned_before=before)

    def _close(self, run: Run) -> None:
        """Write down that what dead tries began is done or was not needed."""
        left = self._journal.list_entries(run.run_id, open_only=True)
        self._journal.finish_many([(entry.number, {"resumed": True}) for entry in left])
