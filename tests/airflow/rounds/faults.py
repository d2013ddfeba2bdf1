"""What is done to a run: one fault a round, chosen by its weight."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psutil

from airflow_codebeamer.errors import CodebeamerError
from tests.airflow.rounds.ground import TASKS, Ground

__all__ = ["FAULTS", "Fault", "MissedError", "Target"]

#: One part of Airflow at a time is hurt, and the store not with it.
_ALONE = threading.Lock()


class MissedError(Exception):
    """The moment was over before the fault could happen."""


@dataclass(frozen=True)
class Target:
    """Where a fault happens: a run, and one of its tasks."""

    ground: Ground
    run_id: str
    task_id: str

    @property
    def dag_id(self) -> str:
        return self.ground.row.dag_id


@dataclass(frozen=True)
class Fault:
    """A kind of fault, how often it is chosen, and how it is done."""

    name: str
    weight: int
    act: Callable[[Target], None]


def _process(target: Target) -> int:
    """Return the task's process, or that of whichever task of the run has one."""
    for task_id in (target.task_id, *TASKS):
        pid = target.ground.find_pid(target.run_id, task_id)
        if pid is not None:
            return pid
    raise MissedError("no task had a process")


def _signalled(number: int) -> Callable[[Target], None]:
    def act(target: Target) -> None:
        if not target.ground.signal(_process(target), number):
            raise MissedError("the process had just ended")

    return act


def _stopped(target: Target) -> None:
    pid = _process(target)
    if not target.ground.signal(pid, signal.SIGSTOP):
        raise MissedError("the process had just ended")
    try:
        # Twice the ttl: the lock is somebody else's when it wakes up.
        time.sleep(26)
    finally:
        target.ground.signal(pid, signal.SIGCONT)


def _orphaned(target: Target) -> None:
    pid = _process(target)
    try:
        parent = psutil.Process(pid).ppid()
    except psutil.Error:
        raise MissedError("the process had just ended") from None
    if parent not in target.ground.site.airflow.list_pids():
        raise MissedError("its supervisor is gone")
    target.ground.signal(parent, signal.SIGKILL)


def _task_marked(state: str) -> Callable[[Target], None]:
    return lambda target: target.ground.rest.mark_task(
        target.dag_id, target.run_id, target.task_id, state
    )


def _run_marked(state: str) -> Callable[[Target], None]:
    return lambda target: target.ground.rest.mark_run(
        target.dag_id, target.run_id, state
    )


def _task_cleared(target: Target) -> None:
    target.ground.rest.clear_task(target.dag_id, target.run_id, target.task_id)


def _run_cleared(target: Target) -> None:
    target.ground.rest.clear_run(target.dag_id, target.run_id)


def _task_deleted(target: Target) -> None:
    target.ground.rest.delete_task(target.dag_id, target.run_id, target.task_id)


def _paused(target: Target) -> None:
    target.ground.rest.pause(target.dag_id)
    try:
        time.sleep(8)
    finally:
        target.ground.until(
            "unpaused",
            lambda: target.ground.rest.unpause(target.dag_id) or True,
            60,
        )


def _broken(target: Target) -> None:
    with target.ground.connect() as codebeamer, suppress(CodebeamerError):
        tracker_id = target.ground.plot.tracker_id
        lock = codebeamer.status.find(codebeamer.settings.server.base, tracker_id)
        if lock is not None:
            codebeamer.engine.break_lock(
                tracker_id,
                expect_epoch=lock.epoch,
                by="a person",
                reason="a random round",
            )


def _recovered(target: Target) -> None:
    with target.ground.connect() as codebeamer:
        codebeamer.recovery.recover()


def _false_failure(target: Target) -> None:
    """Do what a failure callback does, for a run that lives."""
    key = f"{target.dag_id}/{target.run_id}"
    with target.ground.connect() as codebeamer, suppress(CodebeamerError):
        codebeamer.engine.release(target.ground.plot.tracker_id, owner_key=key)


def _component(name: str, seconds: float) -> Callable[[Target], None]:
    def act(target: Target) -> None:
        airflow = target.ground.site.airflow
        with _ALONE:
            part = airflow.component(name)
            # With its tasks, as the end of a container does. Workers that outlive
            # a scheduler share its connection, and with it what it had locked.
            part.end()
            time.sleep(seconds)
            part.start()
            airflow.wait_until_healthy()

    return act


def _server(kind: str, **parts: object) -> Callable[[Target], None]:
    def act(target: Target) -> None:
        number = target.ground.fault(kind, **parts)
        time.sleep(6)
        target.ground.mend(number)

    return act


def _store_frozen(target: Target) -> None:
    with _ALONE, target.ground.site.store_frozen():
        time.sleep(5)


FAULTS: tuple[Fault, ...] = (
    Fault("task killed (SIGKILL)", 8, _signalled(signal.SIGKILL)),
    Fault("task terminated (SIGTERM)", 3, _signalled(signal.SIGTERM)),
    Fault("task stopped for 26 s (SIGSTOP)", 2, _stopped),
    Fault("supervisor killed", 3, _orphaned),
    Fault("task marked failed", 4, _task_marked("failed")),
    Fault("task marked success", 2, _task_marked("success")),
    Fault("task marked skipped", 2, _task_marked("skipped")),
    Fault("run marked failed", 4, _run_marked("failed")),
    Fault("run marked success", 2, _run_marked("success")),
    Fault("task cleared", 3, _task_cleared),
    Fault("run cleared", 3, _run_cleared),
    Fault("task deleted", 2, _task_deleted),
    Fault("DAG paused for 8 s", 2, _paused),
    Fault("lock broken by a person", 2, _broken),
    Fault("`recover` while all is well", 2, _recovered),
    Fault("released while the run lives", 3, _false_failure),
    Fault(
        "scheduler and its tasks killed, back after 3 s", 1, _component("scheduler", 3)
    ),
    Fault("DAG processor killed, back after 3 s", 1, _component("dag-processor", 3)),
    Fault("API server killed, back after 3 s", 1, _component("api-server", 3)),
    Fault(
        "a write's answer lost", 2, _server("drop_answer", operation="write", times=1)
    ),
    Fault("connections reset for 6 s", 2, _server("reset")),
    Fault("the server answers 503 for 6 s", 2, _server("status", status=503)),
    Fault("the server answers 429 for 6 s", 1, _server("status", status=429)),
    Fault("lock store does not answer for 5 s", 1, _store_frozen),
)
