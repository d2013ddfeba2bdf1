"""UnlockTrackerOperator: everybody gets their permissions back, exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_codebeamer.errors import RestorePendingError
from airflow_codebeamer.hooks.owner import owner_of
from airflow_codebeamer.locking import LockState
from airflow_codebeamer.operators.codebeamer import CodebeamerOperator
from airflow_codebeamer.operators.handle import read_handle

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_codebeamer.locking import ReleaseReport
    from airflow_codebeamer.wiring import Codebeamer

__all__ = ["UnlockTrackerOperator"]


class UnlockTrackerOperator(CodebeamerOperator):
    """Undo what is unfinished, restore the permissions, release the lock.

    Releases all that this run holds. Doing it twice, late, or after somebody
    else took the tracker is harmless and succeeds. Made to be a teardown:
    `unlock.as_teardown(setups=reserve)`.

    :param lock: the handle of the lock task; without it, whatever this run holds.
    """

    template_fields: Sequence[str] = ("lock", "codebeamer_conn_id")
    template_fields_renderers = {"lock": "json"}  # noqa: RUF012

    def __init__(
        self, *, lock: Mapping[str, Any] | str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.lock = lock

    def work(self, context: Context, codebeamer: Codebeamer) -> dict[str, Any]:
        """Release; return what was restored and what was found on the way.

        Raises:
            RestorePendingError: something could not be put back yet; a retry or
                the janitor goes on with it.
        """
        owner = read_handle(self.lock).owner if self.lock else owner_of(context).key
        held = [
            lock
            for lock in codebeamer.status.list_locks(codebeamer.settings.server.base)
            if lock.owner.key == owner and lock.state is not LockState.FREE
        ]
        if not held:
            self.log.info("%s holds nothing: it was released before.", owner)
        reports: list[ReleaseReport] = []
        pending: list[RestorePendingError] = []
        for lock in held:
            self.heading_for(codebeamer, lock.tracker_id)
            try:
                reports.append(
                    codebeamer.engine.release(lock.tracker_id, owner_key=owner)
                )
            except RestorePendingError as error:
                pending.append(error)
        for report in reports:
            self._tell(report)
        if pending:
            raise pending[0]
        return {"owner": owner, "released": [report.to_json() for report in reports]}

    def _tell(self, report: ReleaseReport) -> None:
        self.log.info(
            "Tracker %s: permissions are back for %s.",
            report.tracker_id,
            ", ".join(report.restored) or "nobody, since none was changed",
        )
        for finding in report.drift:
            self.log.warning("Somebody changed permissions meanwhile: %s", finding)
        for floor in report.floors:
            self.log.warning("The server had not taken away: %s", floor)
        for left in report.not_undone:
            self.log.error("Of an unfinished run, this could not be undone: %s", left)
