"""The listener, called as Airflow calls it: counts, warns, never gets in the way."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

from airflow_codebeamer.emulator import DEMO_TRACKER_ID
from airflow_codebeamer.errors import RestorePendingError
from airflow_codebeamer.hooks.metrics import Facts, tell
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Owner
from airflow_codebeamer.operators import (
    LockTrackerOperator,
    RecoverLocksOperator,
    ReserveTrackerOperator,
    RunGeneratorOperator,
    UnlockTrackerOperator,
)
from airflow_codebeamer.plugins import CodebeamerPlugin

try:
    from airflow.sdk._shared.listeners.listener import ListenerManager
    from airflow.sdk._shared.listeners.spec import taskinstance
    from airflow.sdk.observability import stats
except ImportError:  # Airflow 3.1
    from airflow import stats
    from airflow.listeners.listener import ListenerManager

    taskinstance = None

TRACKER = TrackerId(DEMO_TRACKER_ID)
RUN: Any = SimpleNamespace(dag_id="fill", run_id="manual/1", map_index=-1)


class Told:
    """A metrics backend of Airflow that keeps what it is told."""

    def __init__(self) -> None:
        self.seen: dict[str, Any] = {}
        self.tags: dict[str, Any] = {}
        self.is_broken = False

    def incr(self, stat: str, count: int = 1, tags: Any = None) -> None:
        if self.is_broken:
            raise OSError("the metrics server is gone")
        self.seen[stat] = self.seen.get(stat, 0) + count
        self.tags[stat] = tags

    def timing(self, stat: str, dt: Any, tags: Any = None) -> None:
        self.seen[stat] = dt

    def gauge(self, stat: str, value: float) -> None:
        self.seen[stat] = value


@pytest.fixture
def told() -> Iterator[Told]:
    backend = Told()
    use(backend)
    yield backend
    use(Told())


def use(backend: Told) -> None:
    """Let Airflow tell the metrics of this process to `backend`."""
    begin = getattr(stats, "initialize", None)
    if begin is not None:
        begin(factory=lambda: backend, export_legacy_names=False)
    else:  # Airflow before 3.3
        stats.Stats.factory, stats.Stats.instance = (lambda: backend), None


@pytest.fixture(scope="module")
def hook() -> Any:
    manager = ListenerManager()
    if taskinstance is not None:
        manager.add_hookspecs(taskinstance)
    for listener in CodebeamerPlugin.listeners:
        manager.add_listener(listener)
    assert manager.has_listeners
    return manager.hook


def ti(task: Any) -> Any:
    """Return a task instance as the process of the task has it."""
    return RuntimeTaskInstance.model_construct(
        task=task, task_id=task.task_id, dag_id="fill", run_id="manual/1", map_index=-1
    )


def ended(hook: Any, task: Any, error: BaseException | None = None) -> None:
    given = {"previous_state": None, "task_instance": ti(task)}
    if error is None:
        hook.on_task_instance_success(**given)
    else:
        hook.on_task_instance_failed(**given, error=error)


def run(hook: Any, task: Any) -> Any:
    """Execute a task and tell the listener how it ended, as Airflow does."""
    try:
        found = task.execute({"ti": RUN})
    except Exception as error:
        ended(hook, task, error)
        return None
    ended(hook, task)
    return found


def items() -> Iterator[dict[str, Any]]:
    yield {"key": "a", "name": "A"}
    yield {"key": "b", "name": "B"}


def test_a_cycle_counts_what_it_did(here: Any, hook: Any, told: Told) -> None:
    handle = run(hook, LockTrackerOperator(task_id="lock", tracker_id=TRACKER))
    run(hook, RunGeneratorOperator(task_id="g", generator=items, lock=handle))
    run(hook, RecoverLocksOperator(task_id="recover"))
    assert told.seen["codebeamer.locks.held"] == 1
    run(hook, UnlockTrackerOperator(task_id="unlock"))
    run(hook, RecoverLocksOperator(task_id="recover"))
    assert told.seen["codebeamer.locks.held"] == 0
    for kind, times in {"lock": 1, "generate": 1, "unlock": 1, "recover": 2}.items():
        assert told.seen[f"codebeamer.task.{kind}.success"] == times
    assert told.seen["codebeamer.lock.taken"] == 1
    assert told.seen["codebeamer.lock.released"] == 1
    assert told.seen["codebeamer.lock.held"] > timedelta(0)
    assert told.seen["codebeamer.items.created"] == 2
    assert told.seen["codebeamer.requests"] > 2
    assert "codebeamer.lock.drift" not in told.seen
    assert told.tags["codebeamer.lock.taken"] == {"dag_id": "fill", "task_id": "lock"}


def test_refusals_have_numbers_of_their_own(
    here: Any, hook: Any, told: Told, elsewhere: Any
) -> None:
    elsewhere.engine.acquire(TRACKER, owner=Owner.here("alice"))
    run(hook, LockTrackerOperator(task_id="lock", tracker_id=TRACKER))
    assert told.seen["codebeamer.lock.refused"] == 1
    assert told.seen["codebeamer.task.lock.failed"] == 1
    pending = RestorePendingError(TRACKER, ["role Tester"])
    ended(hook, UnlockTrackerOperator(task_id="unlock"), pending)
    assert told.seen["codebeamer.lock.pending"] == 1


def test_tasks_of_others_are_not_counted(hook: Any, told: Told) -> None:
    ended(hook, BaseOperator(task_id="theirs"))
    ended(hook, BaseOperator(task_id="theirs"), ValueError("theirs"))
    assert told.seen == {}


def test_a_task_that_has_no_process_is_known_by_name(
    hook: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """As the scheduler and the API server see it: a row, no operator."""
    row = SimpleNamespace(
        operator="UnlockTrackerOperator", dag_id="fill", task_id="unlock", task=None
    )
    hook.on_task_instance_failed(previous_state=None, task_instance=row, error="killed")
    hook.on_task_instance_skipped(previous_state=None, task_instance=row)
    assert "stumbled" not in caplog.text


def test_warns_of_a_lock_without_teardown_only(
    hook: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with DAG("bad", schedule=None) as bad:
        LockTrackerOperator(task_id="lock", tracker_id=1)
    with DAG("good", schedule=None) as good:
        reserve = ReserveTrackerOperator(task_id="reserve", tracker_id=1)
        lock = LockTrackerOperator(task_id="lock", tracker_id=1)
        unlock = UnlockTrackerOperator(task_id="unlock").as_teardown(setups=reserve)
        reserve >> lock >> unlock
    for dag in (bad, good):
        for task in dag.tasks:
            hook.on_task_instance_running(previous_state=None, task_instance=ti(task))
    warnings = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert [one.getMessage()[:62] for one in warnings] == [
        "No teardown gives back what the task lock of the DAG bad locks"
    ]


def test_errors_in_it_are_log_lines(
    hook: Any, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    told.is_broken = True
    ended(hook, LockTrackerOperator(task_id="lock", tracker_id=1))
    assert "Metrics are not told: OSError" in caplog.text
    # A lock task that is in no DAG, and a thing that is no task instance at all.
    loose = ti(LockTrackerOperator(task_id="lock", tracker_id=1))
    hook.on_task_instance_running(previous_state=None, task_instance=loose)
    hook.on_task_instance_failed(
        previous_state=None, task_instance=SimpleNamespace(operator="X"), error=None
    )
    assert "The listener stumbled" in caplog.text
    tell(Facts(counts={"x": 1}), in_task=False)


def test_callbacks_count_what_they_release(here: Any, told: Told) -> None:
    from airflow_codebeamer.notifications import release_locks

    task = LockTrackerOperator(task_id="lock", tracker_id=TRACKER)
    task.execute({"ti": RUN})
    release_locks({"ti": RUN, "exception": RuntimeError("generator")})
    assert told.seen == {"codebeamer.lock.released_by_callback": 1}
