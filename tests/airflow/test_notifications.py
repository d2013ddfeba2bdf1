"""Release by callback: from every context, as often as it likes, never raising."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator

from airflow_codebeamer.emulator import DEMO_TRACKER_ID
from airflow_codebeamer.errors import LockLostError
from airflow_codebeamer.ids import Epoch, TrackerId
from airflow_codebeamer.locking import Owner
from airflow_codebeamer.notifications import (
    ReleaseLocksNotifier,
    _Run,
    release_locks,
)
from airflow_codebeamer.operators import UnlockTrackerOperator
from airflow_codebeamer.template import generator_dag

try:
    from airflow.triggers.callback import CallbackTrigger
except ImportError:  # Airflow 3.1
    from airflow.triggers.deadline import DeadlineCallbackTrigger as CallbackTrigger
from airflow_codebeamer.wiring import Codebeamer

TRACKER = TrackerId(DEMO_TRACKER_ID)
TASK = SimpleNamespace(dag_id="fill", run_id="manual/1", map_index=-1)
#: What Airflow gives to a callback of a task, a DAG with and without its last
#: task, and a deadline.
CONTEXTS: dict[str, dict[str, Any]] = {
    "task": {"ti": TASK, "exception": RuntimeError("generator")},
    "task, out of process": {"ti": TASK},
    "dag": {"ti": TASK, "reason": "task_failure"},
    "dag alone": {
        "dag": DAG("fill", schedule=None),
        "run_id": "manual/1",
        "reason": "all_tasks_deadlocked",
    },
    "deadline": {
        "dag_run": {"dag_id": "fill", "dag_run_id": "manual/1"},
        "deadline": {"id": "x"},
    },
}


@pytest.fixture
def held(here: Any, elsewhere: Codebeamer) -> Any:
    """Return the site, its tracker locked by the run that the contexts name."""
    elsewhere.engine.acquire(TRACKER, owner=Owner.here("fill/manual/1"))
    assert here.owners() == {TRACKER: "fill/manual/1"}
    return here


@pytest.mark.parametrize("name", CONTEXTS)
def test_releases_from_every_context(held: Any, name: str) -> None:
    ReleaseLocksNotifier()(dict(CONTEXTS[name]))
    assert held.owners() == {}


def test_leaves_the_lock_of_a_task_that_is_being_killed(held: Any) -> None:
    """Airflow gives its process five seconds, and the teardown is at work already."""
    stopped = SimpleNamespace(is_stopped=True)
    lost = LockLostError(TRACKER, expected=Epoch(1), found=None, why="lost")
    ReleaseLocksNotifier()({**CONTEXTS["task"], "task": stopped})
    ReleaseLocksNotifier()({**CONTEXTS["task"], "exception": lost})
    assert held.owners() == {TRACKER: "fill/manual/1"}
    ReleaseLocksNotifier()({**CONTEXTS["dag"], "task": stopped})
    assert held.owners() == {}


def test_as_awaited_by_the_triggerer(held: Any) -> None:
    async def deadline() -> None:
        await ReleaseLocksNotifier(
            codebeamer_conn_id="codebeamer_default", context=CONTEXTS["deadline"]
        )

    asyncio.run(deadline())
    assert held.owners() == {}


def test_function_uses_the_connections_of_the_dag(
    held: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", held.connection())
    monkeypatch.delenv("AIRFLOW_CONN_CODEBEAMER_DEFAULT")
    with DAG("fill", schedule=None) as dag:
        for conn_id in ("other", "{{ var.value.x }}"):
            UnlockTrackerOperator(
                task_id=f"unlock_{len(dag.tasks)}", codebeamer_conn_id=conn_id
            )
        BaseOperator(task_id="of_another_kind")
    release_locks({"dag": dag, "run_id": "manual/1", "reason": "task_failure"})
    assert held.owners() == {}


def test_second_and_third_release_send_nothing(held: Any) -> None:
    release_locks(dict(CONTEXTS["task"]))
    held.server.clear_calls()
    for name in ("task", "dag", "deadline"):
        release_locks(dict(CONTEXTS[name]))
    assert held.server.calls() == []


@pytest.mark.parametrize(
    "ti",
    [
        SimpleNamespace(dag_id="fill", run_id="manual/10", map_index=-1),
        SimpleNamespace(dag_id="fil", run_id="l/manual/1", map_index=-1),
        SimpleNamespace(dag_id="fill", run_id="manual/1", map_index=3),
    ],
)
def test_leaves_the_locks_of_others(held: Any, ti: Any) -> None:
    ReleaseLocksNotifier()({"ti": ti, "exception": RuntimeError()})
    assert held.owners() == {TRACKER: "fill/manual/1"}


def test_mapped_task_releases_its_own_and_the_dag_all(
    here: Any, elsewhere: Codebeamer
) -> None:
    elsewhere.engine.acquire(TRACKER, owner=Owner.here("fill/manual/1[2]"))
    ReleaseLocksNotifier()({"ti": SimpleNamespace(**vars(TASK) | {"map_index": 1})})
    assert here.owners() != {}
    ReleaseLocksNotifier()(dict(CONTEXTS["dag alone"]))
    assert here.owners() == {}


def test_one_tracker_of_a_run_that_has_several(
    held: Any, elsewhere: Codebeamer
) -> None:
    other = TrackerId(TRACKER + 1)
    elsewhere.engine.acquire(other, owner=Owner.here("fill/manual/1"))
    ReleaseLocksNotifier(tracker_id=str(other))(dict(CONTEXTS["task"]))
    assert held.owners() == {TRACKER: "fill/manual/1"}


def test_a_set_of_a_run_that_has_more(held: Any, elsewhere: Codebeamer) -> None:
    run = "fill/manual/1"
    elsewhere.engine.acquire(TrackerId(TRACKER + 1), owner=Owner.here(run))
    ReleaseLocksNotifier(tracker_id=[TRACKER + 1, TRACKER + 7])(dict(CONTEXTS["task"]))
    assert held.owners() == {TRACKER: run}
    ReleaseLocksNotifier(tracker_id=str([TRACKER]))(dict(CONTEXTS["task"]))
    assert held.owners() == {}


@pytest.mark.parametrize("name", CONTEXTS)
def test_what_does_not_fit_is_handed_over(
    held: Any, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """In each place: it comes back while the server still has not answered."""
    held.server.add_fault({"kind": "delay", "seconds": 4, "times": 1})
    ReleaseLocksNotifier(limit=timedelta(seconds=0.3))(dict(CONTEXTS[name]))
    assert held.owners() == {TRACKER: "fill/manual/1"}, "it waited for the server"
    assert "are not all back after" in caplog.text
    assert "teardown or janitor go on with them" in caplog.text
    held.server.clear_faults()
    # Where the process lives on, the thread ends what it began; else they do.
    until = time.monotonic() + 30
    while held.owners():
        assert time.monotonic() < until, "nobody goes on with it"
        time.sleep(0.1)


def test_each_place_has_its_time() -> None:
    """20 s in the process of a task, 50 s in all in a DAG processor, some to spare."""
    places = {name: _Run.of(context) for name, context in CONTEXTS.items()}
    seconds = {name: run.seconds for name, run in places.items() if run}
    assert seconds.pop("task") < 20
    assert len(seconds) == len(CONTEXTS) - 1
    assert all(25 < one < 50 for one in seconds.values())


def test_no_xcom_is_pushed_where_it_would_hang(held: Any) -> None:
    """In a DAG processor `xcom_push` hangs until the processor is killed."""

    class Hanging(SimpleNamespace):
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"the callback reaches for ti.{name}")

    ti = Hanging(dag_id="fill", run_id="manual/1", map_index=-1)
    ReleaseLocksNotifier()({"ti": ti, "reason": "task_failure"})
    assert held.owners() == {}


def test_templates_of_the_task_are_not_needed(held: Any) -> None:
    """Callbacks in the DAG processor see the task as it stands in the file."""
    raw = SimpleNamespace(
        tracker_id="{{ params.tracker_id }}", lock="{{ ti.xcom_pull('lock') }}"
    )
    ReleaseLocksNotifier()({"ti": TASK, "task": raw})
    assert held.owners() == {}


def test_its_own_templates_are_rendered_there(held: Any) -> None:
    notifier = ReleaseLocksNotifier(tracker_id="{{ params.tracker_id }}")
    context = {**CONTEXTS["dag"], "params": {"tracker_id": TRACKER}}
    notifier(context)
    assert held.owners() == {}


def test_never_raises(
    held: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    release_locks({})
    assert "No run in the callback's context" in caplog.text
    away = "postgresql://nobody@127.0.0.1:1/locks?connect_timeout=1"
    monkeypatch.setenv("AIRFLOW__CODEBEAMER__LOCK_STORE", away)
    release_locks(dict(CONTEXTS["task"]))
    assert "are left to teardown and janitor" in caplog.text
    monkeypatch.delenv("AIRFLOW_CONN_CODEBEAMER_DEFAULT")
    release_locks(dict(CONTEXTS["task"]))
    assert "create it, of the type Codebeamer" in caplog.text


def test_as_the_triggerer_runs_a_missed_deadline(held: Any) -> None:
    """Through Airflow's own trigger for callbacks, from the serialized form."""
    alert = generator_dag("fill", generator="a:b").deadline[0]
    given = alert.callback.serialize()
    trigger = CallbackTrigger(
        callback_path=given["path"],
        callback_kwargs={**given["kwargs"], "context": CONTEXTS["deadline"]},
    )

    async def run() -> list[Any]:
        return [event.payload["state"] async for event in trigger.run()]

    assert asyncio.run(run()) == ["running", "success"]
    assert held.owners() == {}
