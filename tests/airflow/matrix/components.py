"""Rows 11 to 13 and 25 to 27: parts of Airflow that are gone for a while."""

from __future__ import annotations

import os
import signal
import time

from airflow_codebeamer.errors import DemoError
from tests.airflow.matrix.row import AT_ONCE, AT_THE_LATEST, LEASE_SECONDS, RUN_ID, Row
from tests.airflow.matrix.scene import Scene

__all__ = ["ROWS"]


def scheduler_killed(scene: Scene) -> None:
    part = scene.site.airflow.component("scheduler")
    scene.begin(create_seconds=0.25)
    scene.until_writing()
    part.kill()
    scene.hurt()
    time.sleep(15)
    part.start()
    scene.until_task("generate", "success", "failed")


def scheduler_away(scene: Scene) -> None:
    part = scene.site.airflow.component("scheduler")
    scene.begin(create_seconds=0.25)
    scene.until_writing()
    assert part.pid is not None
    scene.hurt()
    os.kill(part.pid, signal.SIGTERM)
    part.wait(60)
    time.sleep(20)
    part.start()


def scheduler_away_between(scene: Scene) -> None:
    """Stop it while the lock is taken: nobody starts the generator."""
    part = scene.site.airflow.component("scheduler")
    number = scene.fault("delay", operation="updatePermission", seconds=2.0)
    scene.begin(create_seconds=0.05)
    scene.until_locking()
    assert part.pid is not None
    os.kill(part.pid, signal.SIGTERM)
    scene.mend(number)
    scene.until("held", scene.find_held, 30)
    part.wait(60)
    part.end()
    with scene.outside_janitor():
        scene.until("released", scene.is_released, 120)
    scene.notes.append("`recover` from outside released in between")
    part.start()
    scene.site.airflow.wait_until_healthy()
    scene.until_task("generate", "success", "failed")
    scene.hurt()


def power_loss(scene: Scene) -> None:
    airflow = scene.site.airflow
    scene.begin()
    scene.until_writing()
    scene.hurt()
    for part in airflow.components:
        part.end()
    with scene.outside_janitor():
        scene.until("released", scene.is_released, scene.row.limit_seconds)
    for part in airflow.components:
        part.start()
    airflow.wait_until_healthy()


def power_back(scene: Scene) -> None:
    airflow = scene.site.airflow
    scene.begin()
    scene.until_writing()
    scene.hurt()
    for part in airflow.components:
        part.end()
    time.sleep(5)
    for part in airflow.components:
        part.start()
    airflow.wait_until_healthy()


def api_server_away(scene: Scene) -> None:
    part = scene.site.airflow.component("api-server")
    scene.begin(create_seconds=0.25)
    scene.until_writing()
    scene.hurt()
    part.end()
    time.sleep(45)
    part.start()
    scene.site.airflow.wait_until_healthy()


def dag_processor_away(scene: Scene) -> None:
    part = scene.site.airflow.component("dag-processor")
    scene.begin()
    scene.until_writing()
    part.end()
    scene.hurt()
    scene.rest.mark_task(scene.row.dag_id, RUN_ID, "generate", "failed")
    time.sleep(20)
    part.start()
    scene.site.airflow.wait_until_healthy()


def database_away(scene: Scene) -> None:
    airflow = scene.site.airflow
    scene.begin()
    scene.until_writing()
    scene.hurt()
    scene.site.airflow_server.stop()
    time.sleep(30)
    scene.site.airflow_server.start()
    gone: set[str] = set()
    until = time.monotonic() + 120
    # As a service manager would: whatever has ended is started again.
    while True:
        gone |= {part.name for part in airflow.components if not part.is_running}
        for part in airflow.components:
            part.start()
        try:
            airflow.wait_until_healthy(timeout_seconds=15)
        except DemoError:
            if time.monotonic() > until:
                raise
        else:
            break
    scene.notes.append(f"ended by themselves: {', '.join(sorted(gone)) or 'none'}")


ROWS = (
    Row(
        "11",
        "the scheduler is killed, back after 15 s",
        scheduler_killed,
        "The generator goes on; the teardown comes when the scheduler is back.",
        items="complete",
        run=("success",),
        alone=True,
        limit_seconds=150,
    ),
    Row(
        "12",
        "the scheduler is stopped, back after 20 s",
        scheduler_away,
        "The generator goes on; the teardown comes when the scheduler is back, unless "
        "the lease ended before and the janitor was first.",
        items="complete",
        run=("success",),
        alone=True,
        limit_seconds=150,
        by=AT_ONCE + AT_THE_LATEST,
    ),
    Row(
        "12b",
        "the scheduler is away between `lock` and `generate`, longer than the lease",
        scheduler_away_between,
        "The lease ends and the tracker is given back; the generator takes its lock "
        "again before it writes.",
        items="complete",
        run=("success",),
        alone=True,
        limit_seconds=150,
        since="the end of the generator",
        by=AT_ONCE + AT_THE_LATEST,
    ),
    Row(
        "13",
        "everything of Airflow is killed, and stays away",
        power_loss,
        "Only `recover` from outside can release; back again, the run begins anew.",
        run=("success", "failed", "running"),
        items="as before",
        alone=True,
        limit_seconds=LEASE_SECONDS + 4 + 30,
        by=AT_THE_LATEST,
    ),
    Row(
        "13b",
        "everything of Airflow is killed, back after 5 s",
        power_back,
        "Airflow misses the heartbeat and fails the task, or runs it again from "
        "scratch; both end well.",
        items="either",
        run=("failed", "success"),
        alone=True,
        limit_seconds=240,
        by=AT_ONCE + AT_THE_LATEST,
    ),
    Row(
        "25",
        "the API server is away for 45 s",
        api_server_away,
        "The generator's result may be lost; callbacks or the janitor release.",
        items="either",
        run=("failed", "success"),
        alone=True,
        limit_seconds=150,
        by=AT_ONCE + AT_THE_LATEST,
    ),
    Row(
        "26",
        "the DAG processor is away for 20 s, the task is marked failed",
        dag_processor_away,
        "The teardown needs no DAG processor.",
        alone=True,
    ),
    Row(
        "27",
        "Airflow's database is away for 30 s",
        database_away,
        "Components end by themselves and need a supervisor that restarts them.",
        items="either",
        run=("failed", "success"),
        alone=True,
        limit_seconds=240,
        by=AT_ONCE + AT_THE_LATEST,
    ),
)
