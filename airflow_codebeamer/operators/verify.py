"""VerifyUnlockedOperator: the run is not well while it owes a restore."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_codebeamer.errors import RestorePendingError
from airflow_codebeamer.hooks.owner import list_owed
from airflow_codebeamer.operators.codebeamer import CodebeamerOperator, is_a
from airflow_codebeamer.operators.handle import read_handle
from airflow_codebeamer.operators.lock import LockTrackerOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_codebeamer.locking import Lock
    from airflow_codebeamer.wiring import Codebeamer

__all__ = ["VerifyUnlockedOperator"]

_FAILED = ("failed", "upstream_failed")


class VerifyUnlockedOperator(CodebeamerOperator):
    """Fail while a tracker that this run had is not given back, or was never had.

    Looks into the lock store, and at the states of the lock tasks before it: where
    one failed and the work was left out (somebody marked the run failed while it
    was locking), Airflow would call the run a success. As the last teardown, with
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
            AirflowFailException: the run never had the lock that it was for.
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
            self.show_holder(context, lock)
            self.log.error(
                "Tracker %s is %s, owned by %s: its permissions are not back.",
                lock.tracker_id,
                lock.state.value,
                lock.owner.key,
            )
        if owed:
            raise _pending(codebeamer, owed)
        self.log.info("Nothing is owed: this run holds no lock.")
        without = _locks_that_failed(context)
        if without:
            raise AirflowFailException(
                f"The run did not do its work: {', '.join(without)} did not take its "
                "lock, and what needed it was left out. Nothing is locked; clear the "
                "run to try again."
            )
        return {"owed": []}


def _pending(codebeamer: Codebeamer, owed: Sequence[Lock]) -> RestorePendingError:
    """Return the error that names each lock, and the roles that are not back."""
    missing: list[str] = []
    answers: list[str] = []
    for lock in owed:
        roles = ", ".join(codebeamer.status.list_owed(lock)) or "no role yet"
        answers += [
            question.command(lock.tracker_id)
            for question in codebeamer.status.list_questions(lock)
        ]
        is_first = lock.tracker_id == owed[0].tracker_id
        what = "it" if is_first else f"tracker {lock.tracker_id}"
        missing.append(
            f"{lock.owner.key} left {what} {lock.state.value}, owed: {roles}"
        )
    return RestorePendingError(owed[0].tracker_id, missing, answers=answers)


def _locks_that_failed(context: Context) -> list[str]:
    """Return the lock tasks before this one that failed, none if that shows anyway.

    A failed task behind the lock fails the run by itself; then this task is to say
    that the release went well.
    """
    task = context.get("task")
    if task is None:
        return []
    before = [
        one for one in task.get_flat_relatives(upstream=True) if not one.is_teardown
    ]
    locks = {one.task_id for one in before if is_a(one, LockTrackerOperator)}
    if not locks:
        return []
    ti: Any = context["ti"]
    states = ti.get_task_states(
        dag_id=ti.dag_id,
        run_ids=[ti.run_id],
        task_ids=sorted(one.task_id for one in before),
        map_index=ti.map_index if ti.map_index >= 0 else None,
    ).get(ti.run_id, {})
    failed = {name for name, state in states.items() if str(state) in _FAILED}
    # Airflow adds the map index to the names of mapped tasks.
    taken = {
        name for name in failed if re.sub(r"_\d+$", "", name) in locks or name in locks
    }
    return sorted(taken) if failed == taken else []
