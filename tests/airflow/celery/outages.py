"""Rows C20 to C32: a broker or a database that is gone for a while."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.airflow.celery.site import QUEUED_SECONDS
from tests.airflow.celery.workers import (
    locking,
    site_of,
    unlocking,
    until_released,
    writing,
)
from tests.airflow.matrix.row import AT_ONCE, AT_THE_LATEST, LEASE_SECONDS, Row
from tests.airflow.matrix.scene import Scene

__all__ = ["ROWS"]

_AWAY_SECONDS = 10.0
_RUN_SECONDS = 180.0
_JANITOR_SECONDS = LEASE_SECONDS + 4 + 60 + 20


def broker_back(phase: Callable[[Scene], str]) -> Callable[[Scene], None]:
    """Kill Redis while a task is at work, and start it again with what it had."""

    def fault(scene: Scene) -> None:
        site = site_of(scene)
        with site.whole_again():
            phase(scene)
            scene.mend_all()
            scene.hurt()
            site.redis.kill()
            time.sleep(_AWAY_SECONDS)
            site.redis.start()
            until_over(scene)

    return fault


def until_over(scene: Scene) -> None:
    scene.until("the end of the run", lambda: scene.run().is_finished, _RUN_SECONDS)


@contextmanager
def nobody_fetching(scene: Scene) -> Iterator[None]:
    """Stop the workers' main processes, which fetch messages; their tasks go on."""
    pids = [worker.pid for worker in site_of(scene).workers.values() if worker.pid]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def message_lost(scene: Scene) -> None:
    """Let Redis lose the message that tells a worker to run `unlock`."""
    site = site_of(scene)
    with site.whole_again():
        writing(scene)
        with nobody_fetching(scene):
            scene.until_task("unlock", "queued")
            scene.until("unlock in Redis", site.redis.waiting)
            scene.hurt()
            site.redis.kill()
            site.redis.forget()
            site.redis.start()
        until_released(scene)
        until_over(scene)


def broker_gone(scene: Scene) -> None:
    """Kill Redis for good; nothing but the callbacks and the outside is left."""
    site = site_of(scene)
    with site.whole_again():
        writing(scene)
        scene.hurt()
        site.redis.kill()
        with scene.outside_janitor():
            until_released(scene)
        state = scene.run().state
        scene.notes.append(f"the run was {state} when the tracker was free")


def broker_and_hosts_gone(scene: Scene) -> None:
    """Kill Redis and all workers for good."""
    site = site_of(scene)
    with site.whole_again():
        writing(scene)
        scene.hurt()
        site.redis.kill()
        for worker in site.workers.values():
            worker.end()
        with scene.outside_janitor():
            until_released(scene)


def delivered_twice(scene: Scene) -> None:
    """Let Redis hand out the running task again, as after its visibility timeout."""
    scene.begin(create_seconds=1.2)
    scene.until_writing()
    another = site_of(scene).worker(
        "impatient",
        queues="none",
        AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT="1",
    )
    try:
        another.start()
        scene.until("a second delivery", lambda: deliveries(scene) > 1)
        scene.hurt()
        scene.until_task("generate", "success", "failed")
    finally:
        another.stop()


def deliveries(scene: Scene) -> int:
    """Count how often a worker was sent this row's generator."""
    found = re.compile(rf"Executing workload .*{scene.row.dag_id}\.py.*'generate'")
    return sum(
        len(found.findall(path.read_text("utf-8", errors="replace")))
        for path in scene.site.airflow.logs.glob("worker-*.log")
    )


def database_back(seconds: float) -> Callable[[Scene], None]:
    """Stop the database of Airflow and of Celery's results, and start it again."""

    def fault(scene: Scene) -> None:
        site = site_of(scene)
        with site.whole_again():
            writing(scene)
            scene.hurt()
            site.airflow_server.stop()
            time.sleep(seconds)
            site.airflow_server.start()
            until_over_with_restarts(scene)

    return fault


def until_over_with_restarts(scene: Scene) -> None:
    """Start again whatever ends, as a service manager would, until the run is over."""
    site = site_of(scene)
    ended: set[str] = set()

    def is_over() -> bool:
        for part in (*site.airflow.components, *site.workers.values()):
            if not part.is_running:
                ended.add(part.name)
                part.start()
        return scene.run().is_finished

    scene.until("the end of the run", is_over, scene.row.limit_seconds)
    site.airflow.wait_until_healthy()
    scene.notes.append(f"ended by themselves: {', '.join(sorted(ended)) or 'none'}")


ROWS = (
    *(
        Row(
            f"C20{letter}",
            f"Redis is killed during {where}, back after {_AWAY_SECONDS:.0f} s with "
            "what it had",
            broker_back(phase),
            means,
            items=items,
            run=run,
            alone=True,
            limit_seconds=_JANITOR_SECONDS,
            by=AT_ONCE + AT_THE_LATEST,
        )
        for letter, where, phase, items, run, means in (
            (
                "a",
                "`lock`",
                locking,
                "either",
                ("failed", "success"),
                "A task that runs needs no broker. For Airflow, a message that it "
                "cannot send is a failed try of the next task, here of `generate`.",
            ),
            (
                "b",
                "the writing",
                writing,
                "complete",
                ("success",),
                "The same, but the next task is `unlock`, which has more tries.",
            ),
            (
                "c",
                "`unlock`",
                unlocking,
                "complete",
                ("success",),
                "The same with `verify`.",
            ),
        )
    ),
    Row(
        "C21",
        "Redis loses all it had while `unlock` is queued in it",
        message_lost,
        f"Nobody knows of the task any more; after {QUEUED_SECONDS} s the scheduler "
        "queues it anew, if the janitor has not been first.",
        items="complete",
        run=("success",),
        alone=True,
        limit_seconds=_JANITOR_SECONDS,
        by=AT_ONCE + AT_THE_LATEST,
    ),
    Row(
        "C22",
        "Redis is killed during the writing, and stays away until the release",
        broker_gone,
        "The generator ends well, `unlock` uses up its tries without a broker; then "
        "its callback in the DAG processor releases, or `recover` from outside.",
        items="complete",
        run=("success", "failed"),
        alone=True,
        limit_seconds=_JANITOR_SECONDS,
        by=AT_ONCE + AT_THE_LATEST,
    ),
    Row(
        "C23",
        "Redis and all workers are lost, and stay away until the release",
        broker_and_hosts_gone,
        "The callback in the DAG processor or `recover` from outside.",
        run=("failed",),
        alone=True,
        limit_seconds=_JANITOR_SECONDS,
        by=AT_ONCE + AT_THE_LATEST,
    ),
    Row(
        "C24",
        "Redis delivers the running generator's message again (visibility timeout)",
        delivered_twice,
        "Airflow refuses the second start, and the first goes on. In another run the "
        "message was older than `task_queued_timeout`, so its token was over: Airflow "
        "took the refusal for a failure of the running task and released its lock.",
        items="either",
        run=("failed", "success"),
        alone=True,
        limit_seconds=120,
        since="the second delivery",
    ),
    *(
        Row(
            number,
            f"Airflow's database, and Celery's, is {what}",
            database_back(seconds),
            "Components end by themselves and need a supervisor that restarts them; "
            "the workers go on.",
            items="either",
            run=("failed", "success"),
            alone=True,
            limit_seconds=240,
            by=AT_ONCE + AT_THE_LATEST,
        )
        for number, what, seconds in (
            ("C30", "restarted", 1.0),
            ("C31", "away for 30 s", 30.0),
        )
    ),
)
