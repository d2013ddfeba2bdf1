"""The public API as a user writes it, for mypy; nothing here is run.

A `type: ignore[...]` marks what mypy must refuse: strict mode calls it an error
if it does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, assert_type

from airflow.sdk import DAG
from pydantic import SecretStr

from airflow_codebeamer.client import Client
from airflow_codebeamer.errors import CodebeamerError, LockHeldError, Retry
from airflow_codebeamer.generator import GeneratedItem, GeneratorContext, RunSummary
from airflow_codebeamer.hooks.codebeamer import CodebeamerHook
from airflow_codebeamer.ids import Epoch, TrackerId
from airflow_codebeamer.locking import Heartbeat, Lock, Owner, ReleaseReport
from airflow_codebeamer.models import Item, Tracker
from airflow_codebeamer.notifications import ReleaseLocksNotifier, release_locks
from airflow_codebeamer.operators.generator import RunGeneratorOperator
from airflow_codebeamer.operators.lock import LockTrackerOperator
from airflow_codebeamer.operators.recover import RecoverLocksOperator
from airflow_codebeamer.operators.reserve import ReserveTrackerOperator
from airflow_codebeamer.operators.unlock import UnlockTrackerOperator
from airflow_codebeamer.operators.verify import VerifyUnlockedOperator
from airflow_codebeamer.sensors.lock import TrackerLockSensor
from airflow_codebeamer.settings import ServerSettings, Settings, StoreSettings
from airflow_codebeamer.skeleton import FieldUpdate, Skeleton, load_document
from airflow_codebeamer.template import exclusive_tracker, generator_dag
from airflow_codebeamer.triggers.lock import TrackerLockTrigger
from airflow_codebeamer.wiring import Codebeamer, connect


def speeds(model: str, *, context: GeneratorContext) -> Iterator[GeneratedItem]:
    assert_type(context.tracker_id, TrackerId)
    yield {"key": model, "name": model, "type": "Folder"}
    yield {"key": f"{model}/speed", "name": "Speed", "fields": {"Unit": "rpm"}}
    yield {"name": "no key"}  # type: ignore[typeddict-item]
    yield {"key": "a", "name": "b", "colour": "c"}  # type: ignore[typeddict-unknown-key]


def dags() -> None:
    dag = generator_dag(
        "speeds",
        generator=speeds,
        generator_args={"model": "p7"},
        tracker_id=2001,
        schedule="@daily",
        lease=timedelta(minutes=5),
        deadline=None,
        priority=2,
        skip_if_locked=True,
        deferrable=True,
    )
    assert_type(dag, DAG)
    generator_dag("x", generator="a:b", lease=300)  # type: ignore[arg-type]
    generator_dag("x")  # type: ignore[call-arg]
    generator_dag("x", generator="a:b", priority="2")  # type: ignore[arg-type]
    with exclusive_tracker(2001, reason="import") as lock:
        assert_type(lock, LockTrackerOperator)
    exclusive_tracker([2001, 2002], priority="{{ params.priority }}", wait_for="30m")
    exclusive_tracker(2001.5)  # type: ignore[arg-type]


def tasks() -> None:
    reserve = ReserveTrackerOperator(task_id="reserve", tracker_id=2001)
    LockTrackerOperator(
        task_id="lock",
        tracker_id="{{ params.tracker_id }}",
        wait_for=timedelta(minutes=5),
        deferrable=True,
        on_failure_callback=ReleaseLocksNotifier(),
    )
    LockTrackerOperator(task_id="lock")  # type: ignore[call-arg]
    LockTrackerOperator(
        task_id="lock",
        tracker_id=2001,
        wait_for=5,  # type: ignore[arg-type]
    )
    RunGeneratorOperator(task_id="generate", generator=speeds, mode="plan")
    RunGeneratorOperator(
        task_id="generate",
        generator="a:b",
        mode="dry",  # type: ignore[arg-type]
    )
    UnlockTrackerOperator(task_id="unlock").as_teardown(setups=reserve)
    VerifyUnlockedOperator(task_id="verify", on_failure_callback=release_locks)
    RecoverLocksOperator(task_id="recover", codebeamer_conn_id="other")
    TrackerLockSensor(task_id="wait", tracker_id=2001, state="held")
    TrackerLockSensor(
        task_id="wait",
        tracker_id=2001,
        state="open",  # type: ignore[arg-type]
    )
    TrackerLockTrigger(2001, state="free", poll_seconds=2.0)


def engines() -> None:
    settings = Settings(
        server=ServerSettings(
            url="https://alm.example.com/cb",
            login="generator",
            password=SecretStr("secret"),
        ),
        store=StoreSettings(url=SecretStr("sqlite:///locks.db")),
    )
    with connect(settings, say=print) as codebeamer:
        assert_type(codebeamer, Codebeamer)
        hold(codebeamer, codebeamer.client)
    with CodebeamerHook().codebeamer() as codebeamer:
        assert_type(codebeamer.client, Client)
    connect(settings.server)  # type: ignore[arg-type]


def hold(codebeamer: Codebeamer, client: Client) -> None:
    tracker_id = TrackerId(2001)
    assert_type(client.trackers.get_tracker(tracker_id), Tracker)
    assert_type(client.items.query("tracker.id IN (2001)"), list[Item])
    client.trackers.get_tracker(2001)  # type: ignore[arg-type]
    engine = codebeamer.engine
    try:
        lock = engine.acquire(tracker_id, owner=Owner("me"), reason="import")
    except LockHeldError as error:
        assert_type(error.retry, Retry)
        assert_type(error.since, datetime | None)
        raise
    except CodebeamerError:
        raise
    assert_type(lock, Lock)
    engine.acquire(tracker_id, owner="me")  # type: ignore[arg-type]
    engine.acquire(2001, owner=Owner("me"))  # type: ignore[arg-type]
    with Heartbeat(engine, lock) as heartbeat:
        heartbeat.guard()
    report = engine.release(tracker_id, owner_key="me", epoch=lock.epoch)
    assert_type(report, ReleaseReport)
    assert_type(report.restored, tuple[str, ...])
    engine.release(tracker_id, owner_key="me", epoch=Epoch(3))
    engine.release(tracker_id, "me")  # type: ignore[call-arg]


def documents(codebeamer: Codebeamer, lock: Lock) -> None:
    document = load_document({"owner": "me", "target": {"tracker": 2001}, "items": []})
    assert_type(document, Skeleton | FieldUpdate)
    arguments: dict[str, Any] = {}
    summary = codebeamer.runner.apply(
        document, arguments, TrackerId(2001), lock, run_key="me"
    )
    assert_type(summary, RunSummary)
    summary.created = 2  # type: ignore[misc]
