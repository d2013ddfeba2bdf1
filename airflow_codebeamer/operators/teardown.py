"""Released: what a task has that takes a tracker, and can name who gives it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_codebeamer.notifications import ReleaseLocksNotifier, answer_for
from airflow_codebeamer.operators.unlock import UnlockTrackerOperator

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

__all__ = ["UNLOCK_RETRIES", "Released", "unlock_of"]

#: With a minute of patience in each try: more than ten minutes without a server,
#: whatever the delay between two tries.
UNLOCK_RETRIES = 12


class Released:
    """For operators that take a tracker: `teardown` gives the task that releases it."""

    def teardown(
        self: Any, task_id: str = "unlock", **kwargs: Any
    ) -> UnlockTrackerOperator:
        """Return the task that gives the tracker back, as teardown of this one.

            lock = LockTrackerOperator(task_id="lock", tracker_id=2001)
            lock >> first() >> second() >> lock.teardown()

        Also gives both tasks a callback that releases when they fail, and the DAG
        `release_locks` as `on_failure_callback`, unless it has it: some failures
        reach no task.

        :param task_id: the id of the new task.
        :param kwargs: whatever else `UnlockTrackerOperator` takes.
        :return: the unlock task, for this tracker of the run only.
        """
        return unlock_of(self, self, task_id, **kwargs)


def unlock_of(
    setup: BaseOperator, lock: Any, task_id: str, **kwargs: Any
) -> UnlockTrackerOperator:
    """Return an unlock for the tracker of a lock task, as teardown of a setup."""
    notifier = ReleaseLocksNotifier(
        codebeamer_conn_id=lock.codebeamer_conn_id, tracker_id=lock.tracker_id
    )
    given = {
        "codebeamer_conn_id": lock.codebeamer_conn_id,
        "tracker_id": lock.tracker_id,
        "retries": UNLOCK_RETRIES,
        "on_failure_callback": notifier,
        **kwargs,
    }
    unlock = UnlockTrackerOperator(task_id=task_id, **given)
    lock.on_failure_callback = [*(lock.on_failure_callback or ()), notifier]
    if (dag := setup.get_dag()) is not None:
        answer_for(dag)
    unlock.as_teardown(setups=setup)
    return unlock
