"""ReserveTrackerOperator: writes down that a lock is coming, and does nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_codebeamer.hooks.owner import owner_of
from airflow_codebeamer.operators.codebeamer import (
    CodebeamerOperator,
    some_trackers,
    whole_number,
)
from airflow_codebeamer.operators.handle import handle_of
from airflow_codebeamer.operators.teardown import Released

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_codebeamer.locking import Lock, Owner
    from airflow_codebeamer.wiring import Codebeamer

__all__ = ["ReserveTrackerOperator"]


class ReserveTrackerOperator(Released, CodebeamerOperator):
    """Enter the run into the lock store, without touching the server.

    As setup of the teardown that unlocks, it makes Airflow owe the release even
    when the lock task dies half-way. Whether the tracker is free is the lock
    task's business: a tracker that somebody else holds is no failure here.

    :param tracker_id: the tracker's number, or a list of numbers: one lock of all.
    :param reason: what for; shown to everybody who meets the lock.
    :param priority: as that of the lock task; somebody who waits with a higher one
        is not overtaken.
    :param lease: how long the record is kept for a lock task that never comes;
        the setting `bridge` if not given.
    :return: a handle in the state `granted`; in the state `waiting` if somebody
        else has the tracker.
    """

    template_fields: Sequence[str] = (
        "tracker_id",
        "reason",
        "priority",
        "codebeamer_conn_id",
    )

    def __init__(
        self,
        *,
        tracker_id: int | str | Sequence[int | str],
        reason: str = "",
        lease: timedelta | None = None,
        priority: int | str = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tracker_id = tracker_id
        self.reason = reason
        self.lease = lease
        self.priority = priority

    def work(self, context: Context, codebeamer: Codebeamer) -> dict[str, Any]:
        """Write the record; return its handle."""
        tracker_ids = some_trackers(self.tracker_id)
        self.heading_for(codebeamer, tracker_ids[0])
        owner = owner_of(context)
        locks = codebeamer.engine.reserve_all(
            tracker_ids,
            owner=owner,
            reason=self.reason,
            lease=self.lease,
            priority=whole_number(self.priority, "priority"),
        )
        for lock in locks:
            self._tell(lock, owner)
        return handle_of(owner, locks)

    def _tell(self, lock: Lock, owner: Owner) -> None:
        if lock.is_mine:
            self.log.info(
                "Tracker %s is reserved for %s until %s; the server was not asked.",
                lock.tracker_id,
                owner.key,
                lock.lease_until and lock.lease_until.isoformat(timespec="seconds"),
            )
        else:
            self.log.info(
                "Tracker %s is %s: the lock task waits for it, or says so.",
                lock.tracker_id,
                f"{lock.state.value} by {lock.owner.key}"
                if lock.owner.key
                else "free, and kept for others who wait or with them in one lock",
            )
