"""DAGs for the tests: the template and its parts, without long waits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task

from airflow_codebeamer.notifications import release_locks
from airflow_codebeamer.operators import (
    LockTrackerOperator,
    RunGeneratorOperator,
    UnlockTrackerOperator,
)
from airflow_codebeamer.sensors import TrackerLockSensor
from airflow_codebeamer.template import exclusive_tracker, generator_dag

QUICK = {"retries": 0, "retry_delay": timedelta(0)}

generator_dag(
    "template",
    generator="tiny_generators:frames",
    wait_for=None,
    retries=0,
    retry_delay=timedelta(0),
)


def one_item(key: str = "t:0") -> Iterator[dict[str, Any]]:
    yield {"key": key, "name": key}


generator_dag(
    "callable",
    generator=one_item,
    wait_for=None,
    retries=0,
    retry_delay=timedelta(0),
)

with DAG("several", schedule=None, default_args=QUICK) as several:

    @task
    def short() -> str:
        return "short"

    with exclusive_tracker(2001, group_id="a", wait_for=None):
        short()
    # Nothing here says which tracker or whose handle: it is that of the group.
    with exclusive_tracker(2002, group_id="b", wait_for=None):
        fill = RunGeneratorOperator(task_id="fill", generator=one_item)
    several.get_task("a.verify") >> fill
    several.get_task("b.lock") >> several.get_task("a.short")

with DAG("mapped", schedule=None, default_args=QUICK):
    locks = LockTrackerOperator.partial(task_id="lock").expand(tracker_id=[2001, 2002])
    fills = RunGeneratorOperator.partial(task_id="fill", generator=one_item).expand(
        tracker_id=[2001, 2002]
    )
    locks >> fills >> UnlockTrackerOperator(task_id="unlock")

with (
    DAG(
        "around",
        schedule=None,
        params={"tracker_id": 1, "fail": False},
        default_args=QUICK,
        on_failure_callback=release_locks,
    ),
    exclusive_tracker("{{ params.tracker_id }}", reason="around", wait_for=None),
):

    @task
    def first() -> str:
        return "first"

    @task
    def second(params: dict[str, object] | None = None) -> str:
        if params and params["fail"]:
            raise RuntimeError("second fails on purpose")
        return "second"

    first() >> second()

with DAG(
    "twice",
    schedule=None,
    params={"tracker_id": 1},
    default_args=QUICK,
):
    lock = LockTrackerOperator(task_id="lock", tracker_id="{{ params.tracker_id }}")
    again = LockTrackerOperator(task_id="again", tracker_id=["{{ params.tracker_id }}"])
    unlock = UnlockTrackerOperator(task_id="unlock", lock="{{ ti.xcom_pull('lock') }}")
    generate = RunGeneratorOperator(
        task_id="generate", generator="tiny_generators:frames", lock=lock.output
    )
    unlock_again = UnlockTrackerOperator(task_id="unlock_again")
    lock >> again >> unlock >> generate >> unlock_again

with DAG(
    "deferring",
    schedule=None,
    params={"tracker_id": 1},
    default_args=QUICK,
):
    LockTrackerOperator(
        task_id="lock",
        tracker_id="{{ params.tracker_id }}",
        wait_for=timedelta(seconds=60),
        deferrable=True,
    ) >> UnlockTrackerOperator(task_id="unlock")

with DAG(
    "sensing",
    schedule=None,
    params={"tracker_id": 1},
    default_args=QUICK,
):
    for name, deferrable in (("poking", False), ("deferred", True)):
        TrackerLockSensor(
            task_id=name,
            tracker_id="{{ params.tracker_id }}",
            deferrable=deferrable,
            poke_interval=0.2,
            timeout=20,
        )

with DAG("mapped_inside", schedule=None, default_args=QUICK):

    @task
    def part(number: int) -> int:
        return number

    with exclusive_tracker(2001, wait_for=None):
        part.expand(number=[1, 2])
