"""Rows 1 to 9: what happens to the generator's own process."""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta

from tests.airflow.matrix.row import AT_THE_LATEST, Row
from tests.airflow.matrix.scene import Scene

__all__ = ["ROWS"]


def refused(scene: Scene) -> None:
    number = scene.fault("status", operation="createTrackerItem", nth=15, status=400)
    scene.begin()
    scene.until("refused", lambda: scene.met(number))
    scene.hurt()


def by_itself(scene: Scene) -> None:
    scene.begin()
    scene.until_locking()
    scene.until_task("generate", "failed", "skipped")
    scene.hurt_when_logged("the model ends", '"level":"error"', "kipping task")


def killed_by_itself(scene: Scene) -> None:
    scene.begin()
    scene.until_writing(1)
    pid = scene.pid()
    scene.until("the end of the process", lambda: not os.path.exists(f"/proc/{pid}"))
    scene.hurt()


def crashed(scene: Scene) -> None:
    scene.begin()
    scene.until_writing(1)
    pid = scene.pid()
    before = -1
    # A crash shows from outside as a process that writes nothing any more.
    while before != scene.created() and os.path.exists(f"/proc/{pid}"):
        before = scene.created()
        time.sleep(2.0)
    scene.hurt()
    scene.until("released", scene.is_released, scene.row.limit_seconds)
    if os.path.exists(f"/proc/{pid}"):
        scene.notes.append("the process lived on until it was killed by hand")
        os.kill(pid, signal.SIGKILL)


def over_time(scene: Scene) -> None:
    scene.begin(create_seconds=0.8)
    scene.until_writing(1)
    scene.until_task("generate", "failed")
    scene.hurt_when_logged("Timeout", "imed out")


def killed(scene: Scene) -> None:
    scene.begin()
    scene.until_writing()
    scene.kill()


def terminated(scene: Scene) -> None:
    scene.begin()
    scene.until_writing()
    scene.kill(number=signal.SIGTERM)


def stopped(scene: Scene) -> None:
    scene.begin()
    scene.until_writing()
    pid = scene.kill(number=signal.SIGSTOP)
    try:
        scene.until("released", scene.is_released, scene.row.limit_seconds)
        scene.notes.append("the process was woken up after the release")
    finally:
        os.kill(pid, signal.SIGCONT)


def failed_once(scene: Scene) -> None:
    number = scene.fault("status", operation="createTrackerItem", nth=10, status=500)
    scene.begin(create_seconds=0.1)
    scene.until("failed", lambda: scene.met(number))
    scene.hurt()
    scene.until_task("generate", "success")


def killed_once(scene: Scene) -> None:
    scene.begin(create_seconds=0.2)
    scene.until_writing()
    scene.kill()
    scene.until_task("generate", "up_for_retry", "scheduled", "queued")
    scene.until_task("generate", "success")


def orphaned(scene: Scene) -> None:
    scene.begin(create_seconds=1.5)
    scene.until_writing(2)
    scene.kill_supervisor()


_RETRY = {"retries": 1}

ROWS = (
    Row(
        "1",
        "the server refuses an item half-way",
        refused,
        "The generator's own rollback, then the callback in the task's process.",
    ),
    Row(
        "1b",
        "the generator raises",
        by_itself,
        "Nothing was written yet; the task's own callback releases.",
        generator="raising",
    ),
    Row(
        "1c",
        "the generator calls `sys.exit(3)`",
        by_itself,
        "As an exception.",
        generator="leaving",
    ),
    Row(
        "2",
        "`execution_timeout`",
        over_time,
        "The task undoes what it wrote; the teardown releases.",
        options={"default_args": {"execution_timeout": timedelta(seconds=12)}},
    ),
    Row(
        "3",
        "a failure with a retry left",
        failed_once,
        "The lock is kept for the retry; the teardown releases after it.",
        items="complete",
        run=("success",),
        options=_RETRY,
        limit_seconds=90,
        since="the first failure",
    ),
    Row(
        "4",
        "a task of one's own skips (`AirflowSkipException`)",
        by_itself,
        "No callback runs for it, the teardown does.",
        generator="skipping",
        wiring="own tasks",
        run=("success",),
    ),
    Row(
        "5",
        "SIGKILL of the task (out of memory)",
        killed,
        "No callback of the task runs; teardown and DAG callback do.",
    ),
    Row(
        "5b",
        "`os._exit` in the middle of the writing",
        killed_by_itself,
        "As SIGKILL.",
        generator="exiting",
    ),
    Row(
        "6",
        "SIGKILL with a retry left",
        killed_once,
        "The retry undoes what the dead try left and does all of it again.",
        items="complete",
        run=("success",),
        options=_RETRY,
        limit_seconds=120,
        since="the kill",
    ),
    Row(
        "7",
        "SIGTERM to the task",
        terminated,
        "The generator stops at its next step and undoes what it wrote.",
        run=("failed",),
    ),
    Row(
        "8",
        "the process stops for good (SIGSTOP), and is woken up later",
        stopped,
        "Airflow sees nothing, its supervisor beats on; lease and janitor release. "
        "Woken up, the process finds its lock lost and writes no more.",
        limit_seconds=130,
        by=AT_THE_LATEST,
    ),
    Row(
        "8b",
        "segmentation fault in C code",
        crashed,
        "It hangs, and Airflow sees nothing; lease and janitor release.",
        generator="crashing",
        limit_seconds=130,
        by=AT_THE_LATEST,
    ),
    Row(
        "9",
        "SIGKILL of the task's supervisor",
        orphaned,
        "The orphan keeps its lock until Airflow misses its heartbeat.",
        limit_seconds=130,
    ),
)
