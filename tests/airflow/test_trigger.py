"""The trigger: it only looks, ends in one event, and never blocks the loop."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_codebeamer.emulator import DEMO_TRACKER_ID
from airflow_codebeamer.errors import LockError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Owner
from airflow_codebeamer.operators import LockTrackerOperator
from airflow_codebeamer.triggers import LockEvent, TrackerLockTrigger, lock_event
from airflow_codebeamer.wiring import Codebeamer

TRACKER = TrackerId(DEMO_TRACKER_ID)
ALICE = Owner.here("alice/import")


def run(trigger: TrackerLockTrigger) -> LockEvent:
    return asyncio.run(_run(trigger))


async def _run(trigger: TrackerLockTrigger) -> LockEvent:
    events = [event async for event in trigger.run()]
    assert len(events) == 1
    return lock_event(json.loads(json.dumps(events[0].payload)))


def trigger(**arguments: Any) -> TrackerLockTrigger:
    """Return a trigger that went through JSON, as a deferred one does."""
    given = {"tracker_id": int(TRACKER), "poll_seconds": 0.05, **arguments}
    path, kwargs = TrackerLockTrigger(**given).serialize()
    assert path == "airflow_codebeamer.triggers.lock.TrackerLockTrigger"
    return TrackerLockTrigger(**json.loads(json.dumps(kwargs)))


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def test_free_tracker_is_free_at_once(here: Any) -> None:
    assert run(trigger()).status == "reached"


def test_waits_until_the_holder_releases(here: Any, elsewhere: Codebeamer) -> None:
    elsewhere.engine.acquire(TRACKER, owner=ALICE)
    began = time.monotonic()
    release = threading.Timer(
        0.5, elsewhere.engine.release, (TRACKER,), {"owner_key": ALICE.key}
    )
    release.start()
    event = run(trigger(deadline=in_seconds(20)))
    release.join()
    assert event.status == "reached"
    assert time.monotonic() - began > 0.4


def test_waits_for_all_of_several(here: Any, elsewhere: Codebeamer) -> None:
    both = [int(TRACKER), int(TRACKER) + 1]
    assert run(trigger(tracker_id=both)).status == "reached"
    elsewhere.engine.acquire(TrackerId(both[1]), owner=ALICE)
    ended = run(trigger(tracker_id=both, deadline=in_seconds(0.2)))
    assert ended.status == "timeout"
    assert f"Tracker {both[1]} is not free" in ended.message
    assert ALICE.key in ended.message
    event = run(trigger(tracker_id=both, state="held", deadline=in_seconds(0.2)))
    assert event.status == "timeout"


def test_waits_for_a_lock_in_force(here: Any, elsewhere: Codebeamer) -> None:
    assert run(trigger(state="held", deadline=in_seconds(0.2))).status == "timeout"
    elsewhere.engine.acquire(TRACKER, owner=ALICE)
    assert run(trigger(state="held", deadline=in_seconds(5))).status == "reached"


def test_reserved_is_neither_free_nor_held(here: Any, elsewhere: Codebeamer) -> None:
    elsewhere.engine.reserve(TRACKER, owner=ALICE, reason="soon")
    for state in ("free", "held"):
        ended = run(trigger(state=state, deadline=in_seconds(0.2)))
        assert ended.status == "timeout", state


def test_deadline_is_absolute_and_names_the_holder(
    here: Any, elsewhere: Codebeamer
) -> None:
    elsewhere.engine.acquire(TRACKER, owner=ALICE)
    past = trigger(deadline=in_seconds(-1))
    event = run(past)
    assert event.status == "timeout"
    assert "its holder is alice/import" in event.message
    assert event.deadline is not None


def test_expired_lease_ends_the_wait_of_a_taker(
    here: Any, site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = {
        "ttl": timedelta(seconds=1),
        "bridge": timedelta(seconds=1),
        "beat": timedelta(seconds=0.2),
        "margin": timedelta(seconds=0.2),
        "lock_delay": timedelta(seconds=0.2),
    }
    for name, span in short.items():
        option = f"AIRFLOW__CODEBEAMER__{name.upper()}_SECONDS"
        monkeypatch.setenv(option, str(span.total_seconds()))
    with Codebeamer(site.settings(**short)) as dying:
        dying.engine.acquire(TRACKER, owner=ALICE)
    waiting = trigger(deadline=in_seconds(3))
    assert run(waiting).status == "timeout"
    assert run(trigger(deadline=in_seconds(3), take_over=True)).status == "reached"


def test_error_is_an_event(here: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CODEBEAMER_DEFAULT", here.connection(colour=1))
    event = run(trigger())
    assert event.status == "error"
    assert "there is no such extra" in event.message
    assert event.retry is False


class SlowTrigger(TrackerLockTrigger):
    """Looks at a store that takes its time to answer."""

    def _look(self, codebeamer: Codebeamer) -> LockEvent | None:
        time.sleep(0.6)
        return super()._look(codebeamer)


def test_slow_store_does_not_block_the_loop(here: Any, elsewhere: Codebeamer) -> None:
    elsewhere.engine.acquire(TRACKER, owner=ALICE)
    waiting = SlowTrigger(int(TRACKER), poll_seconds=0.05, deadline=in_seconds(1))
    gaps = asyncio.run(_gaps(waiting))
    assert len(gaps) > 10
    assert max(gaps) < 0.5, max(gaps)


async def _gaps(waiting: TrackerLockTrigger) -> list[float]:
    """Return the pauses of a loop while a trigger waits on it."""
    task = asyncio.ensure_future(_run(waiting))
    gaps, last = [], time.monotonic()
    while not task.done():
        await asyncio.sleep(0.01)
        gaps.append(time.monotonic() - last)
        last = time.monotonic()
    assert (await task).status == "timeout"
    return gaps


@pytest.mark.parametrize(
    "payload",
    [None, {}, {"status": "success", "tracker_id": 1}, {"status": "reached"}, "free"],
)
def test_event_that_nobody_can_read_is_a_failure(payload: Any) -> None:
    with pytest.raises(LockError, match="same version"):
        lock_event(payload)


def record(codebeamer: Codebeamer) -> Any:
    found = codebeamer.status.find(codebeamer.settings.server.base, TRACKER)
    assert found is not None
    return found


@pytest.mark.trap("T14")
def test_triggerer_that_dies_leaves_everything_as_it_was(
    here: Any, elsewhere: Codebeamer
) -> None:
    """Killed, stopped, or its task cleared or marked: Airflow cancels the trigger."""
    elsewhere.engine.acquire(TRACKER, owner=ALICE)
    before = record(elsewhere)
    here.server.clear_calls()
    waiting = trigger(deadline=in_seconds(60))

    async def die() -> None:
        task = asyncio.ensure_future(_run(waiting))
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await waiting.cleanup()

    asyncio.run(die())
    assert record(elsewhere) == before, "a waiting task renews or changes a lock"
    assert here.server.calls() == []
    elsewhere.engine.release(TRACKER, owner_key=ALICE.key)
    again = TrackerLockTrigger(**waiting.serialize()[1])
    assert again.deadline == waiting.deadline
    assert run(again).status == "reached"


def test_two_triggerers_with_one_trigger(here: Any, elsewhere: Codebeamer) -> None:
    """Both see it free; both resumptions of the task get one and the same lock."""
    elsewhere.engine.acquire(TRACKER, owner=ALICE)

    async def both() -> list[LockEvent]:
        first, second = (
            trigger(deadline=in_seconds(30)),
            trigger(deadline=in_seconds(30)),
        )
        waiting = asyncio.gather(_run(first), _run(second))
        await asyncio.sleep(0.3)
        release = asyncio.to_thread(
            elsewhere.engine.release, TRACKER, owner_key=ALICE.key
        )
        await release
        return list(await waiting)

    events = asyncio.run(both())
    assert [event.status for event in events] == ["reached", "reached"]
    context: Any = {
        "ti": SimpleNamespace(dag_id="fill", run_id="manual/1", map_index=-1)
    }
    epochs = []
    for event in events:
        lock = LockTrackerOperator(
            task_id="lock",
            tracker_id=TRACKER,
            deferrable=True,
            wait_for=timedelta(seconds=30),
        )
        handle = lock.execute_complete(context, event.payload())
        epochs.append(handle["locks"][0]["lock"]["epoch"])
    assert epochs[0] == epochs[1]
    assert here.owners() == {TRACKER: "fill/manual/1"}


def test_slow_server_is_nothing_to_a_trigger(here: Any, elsewhere: Codebeamer) -> None:
    """It asks the store only; meanwhile another coroutine makes its progress."""
    elsewhere.engine.acquire(TRACKER, owner=ALICE)
    here.server.add_fault({"kind": "delay", "seconds": 30})
    gaps = asyncio.run(_gaps(trigger(deadline=in_seconds(1))))
    here.server.clear_faults()
    assert len(gaps) > 10
