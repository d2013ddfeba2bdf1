"""UnlockTrackerOperator: everybody gets their permissions back, exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_codebeamer.errors import RestorePendingError
from airflow_codebeamer.hooks.owner import list_owed, owner_of
from airflow_codebeamer.operators.codebeamer import CodebeamerOperator, one_tracker
from airflow_codebeamer.operators.handle import Held, read_handle
from airflow_codebeamer.operators.patience import Patience

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.sdk import Context

    from airflow_codebeamer.locking import Lock, ReleaseReport
    from airflow_codebeamer.wiring import Codebeamer

__all__ = ["UnlockTrackerOperator"]


class UnlockTrackerOperator(CodebeamerOperator):
    """Undo what is unfinished, restore the permissions, release the lock.

    Releases the trackers of a handle, or all that this run holds, mapped tasks
    included (a mapped unlock: what its own map index holds). Doing it twice,
    late, or after somebody else took the tracker is harmless and succeeds. Made
    to be a teardown: `unlock.as_teardown(setups=reserve)`.

    :param lock: the handle of the lock task; without it, whatever this run holds.
    :param tracker_id: release this tracker only, of what that is.
    :param patience: how long one try of the task waits for a server or a store
        that does not answer; what is refused is not tried again within a try.
    :return: `owner`, and in `released` a report for each tracker: `restored` are
        roles that were put back, `drift` is what others changed in permissions
        meanwhile, `floors` what the server had not taken away, `undone` and
        `not_undone` tell of runs that had not ended, `certificate` of what others
        wrote while the tracker was held (None unless the setting asks for it).
    """

    template_fields: Sequence[str] = (
        "lock",
        "tracker_id",
        "codebeamer_conn_id",
    )
    template_fields_renderers = {"lock": "json"}  # noqa: RUF012

    def __init__(
        self,
        *,
        lock: Mapping[str, Any] | str | None = None,
        tracker_id: int | str | None = None,
        patience: timedelta = timedelta(seconds=60),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.lock = lock
        self.tracker_id = tracker_id
        self.patience = patience

    def work(self, context: Context, codebeamer: Codebeamer) -> dict[str, Any]:
        """Release; return what was restored and what was found on the way.

        Raises:
            RestorePendingError: something could not be put back yet; a retry or
                the janitor goes on with it.
            DatabaseError: the store did not answer all the time.
            ForeignChangesError: all is free, others wrote, and the setting
                `certificate` says that this fails.
        """
        patience = Patience(self.patience, codebeamer.clock, self.log.warning)
        return patience.tried(lambda: self._release(context, codebeamer))

    def _release(self, context: Context, codebeamer: Codebeamer) -> dict[str, Any]:
        given = read_handle(self.lock) if self.lock else None
        owner = given.owner if given else owner_of(context).key
        held = _meant(codebeamer, given, context)
        if self.tracker_id is not None:
            only = one_tracker(self.tracker_id)
            held = [lock for lock in held if lock.tracker_id == only]
        if not held:
            self.log.info("%s holds nothing: it was released before.", owner)
            # Nor does it wait any more: nothing is kept for a run that is over.
            codebeamer.queue.leave(codebeamer.settings.server.base, owner)
        reports: list[ReleaseReport] = []
        pending: list[RestorePendingError] = []
        for lock in held:
            self.heading_for(codebeamer, lock.tracker_id)
            self.show_holder(context, lock)
            try:
                reports.append(
                    codebeamer.engine.release(
                        lock.tracker_id, owner_key=lock.owner.key, judge=False
                    )
                )
            except RestorePendingError as error:
                pending.append(error)
        now = codebeamer.clock.now()
        for report in reports:
            self._tell(report)
            self._count(report, now, held)
        if pending:
            # What was refused first: waiting does not help it.
            raise min(pending, key=lambda error: error.may_pass)
        unreleased = {report.tracker_id for report in reports if not report.released}
        for lock in held:
            # A callback took the release over; Airflow may yet kill its process.
            if lock.tracker_id in unreleased and _is_restoring(codebeamer, lock):
                raise RestorePendingError(
                    lock.tracker_id,
                    [f"another release of {lock.owner.key} has it"],
                    may_pass=True,
                )
        for report in reports:
            report.require()
        return {"owner": owner, "released": [report.to_json() for report in reports]}

    def _count(
        self, report: ReleaseReport, now: datetime, held: Sequence[Lock]
    ) -> None:
        if not report.released:
            return
        counts = self.facts.counts
        counts["lock.released"] = counts.get("lock.released", 0) + 1
        counts["lock.drift"] = counts.get("lock.drift", 0) + len(report.drift)
        if report.certificate is not None:
            foreign = counts.get("lock.foreign", 0) + report.certificate.foreign
            counts["lock.foreign"] = foreign
        for lock in held:
            if lock.tracker_id == report.tracker_id and lock.acquired_at:
                self.facts.spans.append(("lock.held", now - lock.acquired_at))

    def _tell(self, report: ReleaseReport) -> None:
        if not report.released:
            self.log.info("Tracker %s: %s.", report.tracker_id, report.why)
            return
        self.log.info(
            "Tracker %s: permissions are back for %s.",
            report.tracker_id,
            ", ".join(report.restored) or "nobody, since none was changed",
        )
        for finding in report.drift:
            self.log.warning("Somebody changed permissions meanwhile: %s", finding)
        for floor in report.floors:
            # Normal: a project administrator keeps a minimum on every tracker.
            self.log.info("The server had not taken away: %s", floor)
        if report.certificate is not None:
            is_clean = report.certificate.is_clean
            tell = self.log.info if is_clean else self.log.warning
            tell("Tracker %s: %s.", report.tracker_id, report.certificate.sentence)
        for left in report.not_undone:
            self.log.error("Of an unfinished run, this could not be undone: %s", left)


def _is_restoring(codebeamer: Codebeamer, lock: Lock) -> bool:
    from airflow_codebeamer.locking import LockState

    found = codebeamer.status.find(lock.server, lock.tracker_id)
    return (
        found is not None
        and found.state is LockState.RESTORING
        and found.owner.key == lock.owner.key
    )


def _meant(codebeamer: Codebeamer, given: Held | None, context: Context) -> list[Lock]:
    """Return the locks to release: those of the handle, or whatever the run holds."""
    from airflow_codebeamer.locking import LockState

    if given is None:
        ti = context["ti"]
        return list_owed(codebeamer, ti.dag_id, ti.run_id, ti.map_index)
    return codebeamer.runs.newest_first(
        lock
        for lock in codebeamer.status.list_locks(codebeamer.settings.server.base)
        if lock.state is not LockState.FREE
        and lock.owner.key == given.owner
        and lock.tracker_id in given.tracker_ids
    )
