"""VerifyUnlockedOperator: the run is not well while it owes a restore."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_codebeamer.errors import RestorePendingError
from airflow_codebeamer.hooks.owner import list_owed
from airflow_codebeamer.operators.codebeamer import CodebeamerOperator
from airflow_codebeamer.operators.handle import read_handle

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_codebeamer.wiring import Codebeamer

__all__ = ["VerifyUnlockedOperator"]


class VerifyUnlockedOperator(CodebeamerOperator):
    """Fail while a tracker that this run had is not given back.

    Looks into the lock store only. As the last teardown, with
    `on_failure_fail_dagrun=True`, it keeps a failed unlock from being hidden by
    a run that otherwise went well.

    :param lock: the handle of a reserve or lock task, to look at its trackers
        only; without it, at whatever this run holds.
    :return: `owed`, an empty list.
    """

    template_fields: Sequence[str] = ("lock", "codebeamer_conn_id")
    template_fields_renderers = {"lock": "json"}  # noqa: RUF012

    def __init__(
        self, *, lock: Mapping[str, Any] | str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.lock = lock

    def work(self, context: Context, codebeamer: Codebeamer) -> dict[str, Any]:
        """Look for locks of this run; none is success.

        Raises:
            RestorePendingError: names what is still missing.
        """
        ti = context["ti"]
        trackers = read_handle(self.lock).tracker_ids if self.lock else None
        owed = [
            lock
            for lock in list_owed(codebeamer, ti.dag_id, ti.run_id, ti.map_index)
            if trackers is None or lock.tracker_id in trackers
        ]
        for lock in owed:
            self.heading_for(codebeamer, lock.tracker_id)
            self.log.error(
                "Tracker %s is %s, owned by %s: its permissions are not back.",
                lock.tracker_id,
                lock.state.value,
                lock.owner.key,
            )
        if owed:
            missing = [f"{lock.owner.key} left it {lock.state.value}" for lock in owed]
            raise RestorePendingError(owed[0].tracker_id, missing)
        self.log.info("Nothing is owed: this run holds no lock.")
        return {"owed": []}
