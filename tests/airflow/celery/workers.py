"""Rows C1 to C9: what happens to a Celery worker, or to a part of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import cast

import psutil

from tests.airflow.celery.site import COLD, WARM, CelerySite, QueuedRow
from tests.airflow.matrix.row import AT_ONCE, AT_THE_LATEST, LEASE_SECONDS, Row
from tests.airflow.matrix.scene import Scene
from tests.airflow.matrix.site import HEARTBEAT_TIMEOUT_SECONDS

__all__ = ["ROWS", "site_of"]

_PUT = "updatePermission"
_END_SECONDS = 60.0
#: Until a heartbeat is missed, and what follows has found a worker.
_MISSED_SECONDS = HEARTBEAT_TIMEOUT_SECONDS + 45
#: With the lease, the lock delay and a janitor that comes once a minute.
_JANITOR_SECONDS = LEASE_SECONDS + 4 + 60 + 20


def site_of(scene: Scene) -> CelerySite:
    """Return the scene's site, which has workers and a broker."""
    return cast(CelerySite, scene.site)


def is_alive(pid: int) -> bool:
    with suppress(psutil.Error):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def until_released(scene: Scene) -> None:
    scene.until("released", scene.is_released, scene.row.limit_seconds)


# --- phases: each returns which task is at work -----------------------------


def locking(scene: Scene) -> str:
    scene.fault("delay", operation=_PUT, seconds=2.0)
    scene.begin()
    scene.until_locking()
    return "lock"


def writing(scene: Scene) -> str:
    scene.begin()
    scene.until_writing()
    return "generate"


def unlocking(scene: Scene) -> str:
    scene.begin(create_seconds=0.05)
    scene.until_writing(1)
    number = scene.fault("delay", operation=_PUT, seconds=2.0)
    scene.until("unlocking", lambda: scene.met(number))
    return "unlock"


# --- faults -----------------------------------------------------------------


def task_killed(scene: Scene) -> None:
    writing(scene)
    scene.kill()


def task_killed_once(scene: Scene) -> None:
    writing(scene)
    scene.kill()
    scene.until_task("generate", "success")


def pool_process_killed(scene: Scene) -> None:
    scene.begin(create_seconds=1.0)
    scene.until_writing(2)
    scene.kill_supervisor()


def main_process_killed(scene: Scene) -> None:
    site = site_of(scene)
    with site.whole_again():
        writing(scene)
        pid = scene.pid()
        worker = site.worker_of(pid)
        scene.hurt()
        worker.kill()
        scene.until("the end of the generator", lambda: not is_alive(pid), 60)
        took = time.time() - (scene.hurt_at or 0)
        scene.notes.append(f"the generator was gone after {took:.0f} s")
        until_released(scene)


def host_lost(phase: Callable[[Scene], str]) -> Callable[[Scene], None]:
    def fault(scene: Scene) -> None:
        site = site_of(scene)
        with site.whole_again():
            worker = site.worker_of(scene.pid(phase(scene)))
            scene.hurt()
            worker.end()
            scene.mend_all()
            until_released(scene)
            scene.until("the end of the run", lambda: scene.run().is_finished)

    return fault


def all_hosts_lost(scene: Scene) -> None:
    site = site_of(scene)
    with site.whole_again():
        writing(scene)
        scene.hurt()
        for worker in site.workers.values():
            worker.end()
        with scene.outside_janitor():
            until_released(scene)


def host_frozen(scene: Scene) -> None:
    site = site_of(scene)
    writing(scene)
    worker = site.worker_of(scene.pid())
    pids = worker.list_pids()
    scene.hurt()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        until_released(scene)
        written = scene.created()
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    time.sleep(10)
    scene.notes.append(
        f"woken up after the release it wrote {max(scene.created() - written, 0)} items"
    )


def told_to_end(*signals: int, all_processes: bool = False) -> Callable[[Scene], None]:
    """Tell the worker to end, as its service manager would, and start it again."""

    def fault(scene: Scene) -> None:
        site = site_of(scene)
        with site.whole_again():
            writing(scene)
            worker = site.worker_of(scene.pid())
            pids = worker.list_pids() if all_processes else [worker.pid]
            scene.hurt()
            for number in signals:
                for pid in pids:
                    os.kill(pid, number)
                time.sleep(0.5)
            began = time.monotonic()
            if worker.wait(_END_SECONDS):
                took = time.monotonic() - began
                scene.notes.append(f"the worker was gone after {took:.0f} s")
            else:
                scene.notes.append("the worker had to be killed")
                worker.end()
        scene.until("the end of the run", lambda: scene.run().is_finished)

    return fault


_RETRY = {"retries": 1}

ROWS = (
    Row(
        "C1",
        "SIGKILL of the task (out of memory)",
        task_killed,
        "The worker reports it, the teardown runs in any worker.",
        alone=True,
    ),
    Row(
        "C1b",
        "SIGKILL of the task with a retry left",
        task_killed_once,
        "The retry undoes what the dead try left and does all of it again.",
        items="complete",
        run=("success",),
        options=_RETRY,
        alone=True,
        limit_seconds=120,
        since="the kill",
    ),
    Row(
        "C2",
        "SIGKILL of the pool's process, which watches over the task",
        pool_process_killed,
        "Celery reports the loss at once. The orphaned generator notices it at its "
        "next line in the log, or that its lock is lost, and writes no more.",
        alone=True,
        limit_seconds=_MISSED_SECONDS,
    ),
    Row(
        "C3",
        "SIGKILL of the worker's main process only",
        main_process_killed,
        "Its pool ends with it. The orphaned generator notices it at its next line in "
        "the log and undoes what it wrote; Airflow misses the heartbeat.",
        alone=True,
        limit_seconds=120,
    ),
    *(
        Row(
            f"C4{letter}",
            f"the worker is lost with its host, during {where}",
            host_lost(phase),
            means,
            items=items,
            run=run,
            alone=True,
            limit_seconds=_MISSED_SECONDS,
        )
        for letter, where, phase, items, run, means in (
            (
                "a",
                "`lock`",
                locking,
                "as before",
                ("failed",),
                "Airflow misses the heartbeat; callback in the DAG processor or "
                "teardown release, whoever is first.",
            ),
            (
                "b",
                "the writing",
                writing,
                "as before",
                ("failed",),
                "Airflow misses the heartbeat; callback in the DAG processor or "
                "teardown release, whoever is first.",
            ),
            (
                "c",
                "`unlock`",
                unlocking,
                "complete",
                ("success", "failed"),
                "Its next try, in the other worker, goes on from the journal.",
            ),
        )
    ),
    Row(
        "C4d",
        "the worker is lost with its host during the writing, with a retry left",
        host_lost(writing),
        "The retry, in the other worker, undoes what the dead try left and does all "
        "of it again.",
        items="complete",
        run=("success",),
        options=_RETRY,
        alone=True,
        limit_seconds=_MISSED_SECONDS + 60,
        since="the loss",
    ),
    Row(
        "C5",
        "all workers are lost with their hosts, and stay away until the release",
        all_hosts_lost,
        "No task can run: the callback in the DAG processor or `recover` from outside.",
        run=("failed",),
        alone=True,
        limit_seconds=_JANITOR_SECONDS,
        by=AT_ONCE + AT_THE_LATEST,
    ),
    Row(
        "C6",
        "the worker's host stands still (SIGSTOP), and goes on after the release",
        host_frozen,
        "As a host that is lost. Back again, the generator finds its lock lost and "
        "writes no more.",
        alone=True,
        limit_seconds=_MISSED_SECONDS,
    ),
    QueuedRow(
        "C7",
        "SIGTERM to a worker as it comes",
        told_to_end(signal.SIGTERM),
        "The warm end: it finishes its task and takes no other; `unlock` runs in the "
        "other worker.",
        items="complete",
        run=("success",),
        alone=True,
        limit_seconds=120,
        queue=WARM,
    ),
    QueuedRow(
        "C7b",
        "SIGTERM to every process of such a worker (systemd's KillMode=control-group)",
        told_to_end(signal.SIGTERM, all_processes=True),
        "The task itself is told to stop: it undoes what it wrote. `KillMode=mixed` "
        "lets it finish.",
        alone=True,
        limit_seconds=120,
        queue=WARM,
    ),
    QueuedRow(
        "C8",
        "SIGTERM to a worker with REMAP_SIGTERM=SIGQUIT",
        told_to_end(signal.SIGTERM),
        "The cold end: the pool dies without a word to the task. The orphaned "
        "generator notices it and undoes what it wrote; Airflow misses the heartbeat. "
        "The message goes back to Redis, and Airflow refuses the second start.",
        alone=True,
        limit_seconds=120,
        queue=COLD,
    ),
    QueuedRow(
        "C8b",
        "the same with a retry left, the worker started again",
        told_to_end(signal.SIGTERM),
        "The retry, in the worker that is back, does all of it again.",
        items="complete",
        run=("success",),
        options=_RETRY,
        alone=True,
        limit_seconds=150,
        queue=COLD,
    ),
    QueuedRow(
        "C9",
        "SIGQUIT to a worker as it comes",
        told_to_end(signal.SIGQUIT),
        "The cold end by another way: the pool passes it on, so the task is told to "
        "stop, undoes what it wrote and says itself that it failed.",
        alone=True,
        limit_seconds=120,
        queue=WARM,
    ),
)
