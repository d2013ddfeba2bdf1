"""DAGs that lock: some give it back whatever happens, some do not."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_codebeamer.operators import (
    LockTrackerOperator,
    ReserveTrackerOperator,
    UnlockTrackerOperator,
)
from airflow_codebeamer.template import exclusive_tracker, generator_dag

QUICK = {"retries": 0, "retry_delay": timedelta(0)}

with DAG("no_unlock", schedule=None, default_args=QUICK, params={"tracker_id": 1}):
    LockTrackerOperator(task_id="lock", tracker_id="{{ params.tracker_id }}")

with DAG("plain_unlock", schedule=None, default_args=QUICK):
    LockTrackerOperator(task_id="lock", tracker_id=1) >> UnlockTrackerOperator(
        task_id="unlock"
    )

with DAG("beside", schedule=None, default_args=QUICK):
    LockTrackerOperator(task_id="lock", tracker_id=1)
    UnlockTrackerOperator(task_id="unlock").as_teardown()

with DAG("of_another", schedule=None, default_args=QUICK):
    first = LockTrackerOperator(task_id="first", tracker_id=1)
    second = LockTrackerOperator(task_id="second", tracker_id=2)
    unlock = UnlockTrackerOperator(task_id="unlock", lock=first.output)
    first >> second >> unlock.as_teardown(setups=first)

with DAG("mapped_without", schedule=None, default_args=QUICK):
    LockTrackerOperator.partial(task_id="lock").expand(tracker_id=[1, 2])

with DAG("safe_plain", schedule=None, default_args=QUICK):
    reserve = ReserveTrackerOperator(task_id="reserve", tracker_id=1)
    lock = LockTrackerOperator(task_id="lock", tracker_id=1)
    unlock = UnlockTrackerOperator(task_id="unlock", lock=reserve.output)
    reserve >> lock >> unlock.as_teardown(setups=reserve)

with DAG("safe_mapped", schedule=None, default_args=QUICK):
    locks = LockTrackerOperator.partial(task_id="lock").expand(tracker_id=[1, 2])
    locks >> UnlockTrackerOperator(task_id="unlock").as_teardown(setups=locks)

with DAG("safe_group", schedule=None, default_args=QUICK), exclusive_tracker(1):
    pass

generator_dag("safe_template", generator="a:b")
