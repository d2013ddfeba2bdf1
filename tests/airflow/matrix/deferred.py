"""Rows 40 to 52: the lock task waits in the triggerer for somebody else's lock."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import create_engine, text

from airflow_codebeamer.database import lock_table
from airflow_codebeamer.demo.process import Component
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Owner
from tests.airflow.matrix.row import RUN_ID, Row
from tests.airflow.matrix.scene import Scene

__all__ = ["ROWS"]

_HOLDER = "somebody else"


@contextmanager
def _held(scene: Scene) -> Iterator[None]:
    """Hold the tracker for somebody, until the run's lock task is deferred; release."""
    scene.otherwise = "the other holder"
    with scene.site.codebeamer(scene.plot) as codebeamer:
        tracker = TrackerId(scene.plot.tracker_id)
        codebeamer.engine.acquire(
            tracker, owner=Owner.here(_HOLDER), lease=timedelta(minutes=10)
        )
        try:
            scene.begin(create_seconds=0.05)
            scene.until_task("lock", "deferred")
            yield
        finally:
            codebeamer.engine.release(tracker, owner_key=_HOLDER)


def waiting(
    act: Callable[[Scene], None], *, settle_seconds: float = 8.0
) -> Callable[[Scene], None]:
    """Do something while the lock task waits; then the holder lets go."""

    def fault(scene: Scene) -> None:
        with _held(scene):
            act(scene)
            time.sleep(settle_seconds)
            scene.hurt()

    return fault


def mark_task(state: str) -> Callable[[Scene], None]:
    return lambda scene: scene.rest.mark_task(scene.row.dag_id, RUN_ID, "lock", state)


def mark_run(scene: Scene) -> None:
    scene.rest.mark_run(scene.row.dag_id, RUN_ID, "failed")


def clear(scene: Scene) -> None:
    scene.rest.clear_task(scene.row.dag_id, RUN_ID, "lock")
    scene.until_task("lock", "deferred")


def time_out(scene: Scene) -> None:
    scene.until("timed out", lambda: scene.run().state == "failed")


def delete(scene: Scene) -> None:
    scene.rest.delete_dag(scene.row.dag_id)


def pause(scene: Scene) -> None:
    with _held(scene):
        scene.rest.pause(scene.row.dag_id)
        time.sleep(2)
        scene.hurt()
    time.sleep(10)
    scene.rest.unpause(scene.row.dag_id)


def triggerer_killed(scene: Scene) -> None:
    part = scene.site.airflow.component("triggerer")
    part.end()
    time.sleep(10)
    part.start()
    scene.site.airflow.wait_until_healthy()


def triggerer_terminated(scene: Scene) -> None:
    part = scene.site.airflow.component("triggerer")
    assert part.pid is not None
    os.kill(part.pid, signal.SIGTERM)
    part.wait(30)
    part.end()
    part.start()
    scene.site.airflow.wait_until_healthy()


def triggerer_away(scene: Scene) -> None:
    part = scene.site.airflow.component("triggerer")
    with _held(scene):
        part.end()
        # The wait's own end, and twice the ttl for the triggerer to say so.
        scene.until_task("lock", "failed", "up_for_retry", seconds=120)
        scene.hurt()
    part.start()
    scene.site.airflow.wait_until_healthy()


def store_away(scene: Scene) -> None:
    scene.site.store_server.stop()
    time.sleep(20)
    scene.site.store_server.start()
    scene.until_task("lock", "failed")


def store_broken(scene: Scene) -> None:
    """Let the trigger meet what no waiting helps: a table that is not there."""
    engine = create_engine(scene.site.store_url)
    name = lock_table.name
    try:
        with engine.begin() as connection:
            connection.execute(text(f'ALTER TABLE "{name}" RENAME TO away'))
        scene.until_task("lock", "failed")
        with engine.begin() as connection:
            connection.execute(text(f'ALTER TABLE away RENAME TO "{name}"'))
    finally:
        engine.dispose()


def out_of_time(scene: Scene) -> None:
    scene.until_task("lock", "failed", seconds=120)


def longer_than_allowed(scene: Scene) -> None:
    time.sleep(_ALLOWED_SECONDS + 8)
    assert scene.run().tasks["lock"] == "deferred"


def two_triggerers(scene: Scene) -> None:
    """Have the same trigger run in two processes: the first was thought dead."""
    airflow = scene.site.airflow
    first = airflow.component("triggerer")
    second = Component(
        "triggerer-2",
        first.command,
        environment={
            **airflow.environment,
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": "0",
        },
        folder=airflow.home,
        log=airflow.logs / "triggerer-2.log",
    )
    frozen = first.list_pids()
    with _held(scene):
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            second.start()
            scene.until("taken", lambda: _is_polling(second), 150)
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        time.sleep(3)
        scene.hurt()
    scene.until_task("generate", "success", "failed")
    second.stop()
    airflow.wait_until_healthy()


def _is_polling(part: Component) -> bool:
    """Whether a triggerer says that it runs a trigger; it does so once a minute."""
    return any(_RUNNING.search(line) for line in part.last_lines(80))


_RUNNING = re.compile(r"[1-9]\d* triggers currently running")


_ALLOWED_SECONDS = 20

_DEFERRED = {"default_args": {"deferrable": True}, "wait_for": timedelta(seconds=60)}
_NOBODY = "The run held nothing; when the holder lets go, it takes nothing."

ROWS = (
    Row(
        "40",
        "the lock store is away for 20 s while `lock` waits",
        waiting(store_away, settle_seconds=0),
        f"The trigger looks again some times, then the task fails. {_NOBODY}",
        options=_DEFERRED,
        alone=True,
        since="the holder's release",
    ),
    Row(
        "40b",
        "what the waiting trigger meets cannot pass (the store's table is gone)",
        waiting(store_broken, settle_seconds=0),
        f"The trigger says so and `lock` fails for good. {_NOBODY}",
        options=_DEFERRED,
        alone=True,
        since="the holder's release",
    ),
    Row(
        "41",
        "the waiting `lock` is marked failed",
        waiting(mark_task("failed")),
        _NOBODY,
        options=_DEFERRED,
        since="the holder's release",
    ),
    Row(
        "42",
        "the run is marked failed while `lock` waits",
        waiting(mark_run),
        f"{_NOBODY} `verify` fails it, as in 30c.",
        options=_DEFERRED,
        since="the holder's release",
    ),
    Row(
        "43",
        "the waiting `lock` is marked skipped",
        waiting(mark_task("skipped")),
        _NOBODY,
        run=("success", "failed"),
        options=_DEFERRED,
        since="the holder's release",
    ),
    Row(
        "44",
        "the waiting `lock` is cleared",
        waiting(clear),
        "It waits anew, with one trigger, and goes on when it is its turn.",
        items="complete",
        run=("success",),
        limit_seconds=120,
        options=_DEFERRED,
        since="the holder's release",
    ),
    Row(
        "45",
        "`dagrun_timeout` while `lock` waits",
        waiting(time_out),
        _NOBODY,
        options={**_DEFERRED, "dagrun_timeout": timedelta(seconds=25)},
        since="the holder's release",
    ),
    Row(
        "46",
        "the holder does not let go in time while `lock` waits",
        waiting(out_of_time, settle_seconds=0),
        _NOBODY,
        options={**_DEFERRED, "wait_for": timedelta(seconds=12)},
        since="the holder's release",
    ),
    Row(
        "47",
        "`execution_timeout` is over while `lock` waits",
        waiting(longer_than_allowed, settle_seconds=0),
        "Airflow does not count the time in the triggerer; the wait has its own end.",
        items="complete",
        run=("success",),
        limit_seconds=120,
        options={
            "default_args": {
                "deferrable": True,
                "execution_timeout": timedelta(seconds=_ALLOWED_SECONDS),
            },
            "wait_for": timedelta(seconds=90),
        },
        since="the holder's release",
    ),
    Row(
        "48",
        "the triggerer is killed while `lock` waits, back after 10 s",
        waiting(triggerer_killed, settle_seconds=0),
        "The new triggerer goes on with the same deadline.",
        items="complete",
        run=("success",),
        limit_seconds=120,
        options=_DEFERRED,
        alone=True,
        since="the holder's release",
    ),
    Row(
        "48b",
        "two triggerers have the same trigger: the first was frozen, and woke up",
        two_triggerers,
        "Both say that the tracker is free; the task goes on once.",
        items="complete",
        run=("success",),
        limit_seconds=120,
        options={**_DEFERRED, "wait_for": timedelta(seconds=240)},
        alone=True,
        since="the holder's release",
    ),
    Row(
        "49",
        "the triggerer is stopped and started while `lock` waits",
        waiting(triggerer_terminated, settle_seconds=0),
        "The same; nothing is released by a trigger that ends.",
        items="complete",
        run=("success",),
        limit_seconds=120,
        options=_DEFERRED,
        alone=True,
        since="the holder's release",
    ),
    Row(
        "50",
        "the triggerer does not come back while `lock` waits",
        triggerer_away,
        "Airflow itself ends the wait; the run holds nothing.",
        options={**_DEFERRED, "wait_for": timedelta(seconds=15)},
        limit_seconds=120,
        alone=True,
        since="the holder's release",
    ),
    Row(
        "51",
        "the DAG is paused while `lock` waits, and resumed",
        pause,
        "Resumed it takes the lock and goes on.",
        items="complete",
        run=("success",),
        limit_seconds=120,
        options=_DEFERRED,
        since="the holder's release",
    ),
    Row(
        "52",
        "the DAG is deleted while `lock` waits",
        waiting(delete),
        _NOBODY,
        run=("gone",),
        options=_DEFERRED,
        since="the holder's release",
    ),
)
