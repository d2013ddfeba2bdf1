"""Tasks of others under the lock: begun with it, kept by them, stopped without it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_codebeamer.emulator import DEMO_TRACKER_ID
from airflow_codebeamer.errors import DatabaseError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Owner
from airflow_codebeamer.operators import LeaseKeeper, LockTrackerOperator
from airflow_codebeamer.wiring import Codebeamer

TRACKER = TrackerId(DEMO_TRACKER_ID)
OTHER = TrackerId(2002)
RUN = "fill/manual/1"
LEASE = timedelta(minutes=10)


class Work:
    """A task as Airflow runs it, and what it was told."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        self.killed = threading.Event()
        self.ti = SimpleNamespace(
            dag_id="fill",
            run_id="manual/1",
            map_index=3,
            state=None,
            xcom_pull=self.pull,
        )
        self.context: Any = {"ti": self.ti, "task": self}

    def pull(self, task_ids: str, map_indexes: int) -> Any:
        return self.handle if (task_ids, map_indexes) == ("lock", -1) else None

    def on_kill(self) -> None:
        self.killed.set()

    def end(self) -> None:
        self.ti.state = "success"
        until(lambda: not keepers())


def keepers() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "lock-keeper"]


def until(is_so: Callable[[], Any]) -> None:
    end = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < end, "it does not come to pass"
        time.sleep(0.02)


@pytest.fixture
def work(here: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    monkeypatch.setenv("AIRFLOW__CODEBEAMER__BEAT_SECONDS", "0.1")
    monkeypatch.setenv("AIRFLOW__CODEBEAMER__POLL_SECONDS", "0.1")
    ti = SimpleNamespace(dag_id="fill", run_id="manual/1", map_index=-1)
    lock = LockTrackerOperator(task_id="lock", tracker_id=TRACKER, lease=LEASE)
    task = Work(lock.execute({"ti": ti}))
    yield task
    task.end()


def keep(work: Work, **arguments: Any) -> None:
    LeaseKeeper("lock", "codebeamer_default", **arguments)(work.context)


def lease_of(elsewhere: Codebeamer) -> datetime:
    found = elsewhere.status.find(elsewhere.settings.server.base, TRACKER)
    assert found is not None
    assert found.lease_until is not None
    return found.lease_until


@pytest.mark.trap("T14")
def test_the_whole_lease_is_renewed_while_the_task_lives(
    work: Work, elsewhere: Codebeamer
) -> None:
    first = lease_of(elsewhere)
    seen: list[Any] = []
    keep(work, before=seen.append)
    assert seen == [work.context]
    until(lambda: lease_of(elsewhere) > first + timedelta(seconds=0.5))
    work.end()
    last = lease_of(elsewhere)
    time.sleep(0.5)
    assert lease_of(elsewhere) == last, "somebody renews for a task that has ended"


def test_a_task_does_not_begin_without_the_lock(
    work: Work, elsewhere: Codebeamer
) -> None:
    elsewhere.engine.release(TRACKER, owner_key=RUN)
    with pytest.raises(AirflowFailException, match="its holder is nobody now"):
        keep(work)
    elsewhere.engine.acquire(TRACKER, owner=Owner.here("alice"))
    with pytest.raises(AirflowFailException, match="its holder is alice now"):
        keep(work)
    work.handle = None
    with pytest.raises(AirflowFailException, match="left no handle in this run"):
        keep(work)
    assert not keepers()


@pytest.mark.trap("T31")
def test_a_task_that_loses_the_lock_is_stopped(
    work: Work, elsewhere: Codebeamer
) -> None:
    keep(work)
    # The word comes to the main thread, whatever it is at: here, to `until`.
    release = threading.Thread(
        target=elsewhere.engine.release, args=(TRACKER,), kwargs={"owner_key": RUN}
    )
    release.start()
    with pytest.raises(AirflowFailException, match="The lock of tracker 2001 was lost"):
        until(lambda: False)
    release.join()
    assert work.killed.is_set()


def test_a_task_that_has_ended_is_left_alone(work: Work, elsewhere: Codebeamer) -> None:
    keep(work)
    work.end()
    elsewhere.engine.release(TRACKER, owner_key=RUN)
    time.sleep(0.4)
    assert not work.killed.is_set()


def test_a_store_that_is_away_is_worth_a_retry(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = "postgresql://nobody@127.0.0.1:1/locks?connect_timeout=1"
    monkeypatch.setenv("AIRFLOW__CODEBEAMER__LOCK_STORE", away)
    with pytest.raises(DatabaseError):
        keep(work)


def grant(here: Any, tracker: int) -> None:
    """Give testers the right to edit, as an administrator would."""
    world = here.server.world()
    (role,) = [one["id"] for one in world["roles"] if one["name"] == "Tester"]
    path = f"/v3/trackers/{tracker}/roles/{role}/permissions"
    body = {"permissions": [{"id": number} for number in (0, 1, 2)]}
    assert here.server.act("bond", "PUT", path, body) == 200


def watched(site: Any, count: int) -> bool:
    """Whether the permissions were read so often."""
    looks = [call["operation"] for call in site.server.calls()]
    return looks.count("getTrackerPermissionsWithRoles") >= count


def test_the_watch_runs_while_somebody_elses_task_works(
    here: Any,
    work: Work,
    elsewhere: Codebeamer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW__CODEBEAMER__WATCH_SECONDS", "0.1")
    here.server.clear_calls()
    keep(work)
    until(lambda: watched(here, 2))
    grant(here, TRACKER)
    found = elsewhere.status.find(elsewhere.settings.server.base, TRACKER)
    assert found is not None
    until(
        lambda: [one.is_taken for one in elsewhere.status.list_drift(found)] == [True]
    )
    assert elsewhere.engine.verify(found) == ()
    until(lambda: lease_of(elsewhere) > datetime.now(UTC) + LEASE / 2)
    work.end()
    until(lambda: f"watch-{TRACKER}" not in {one.name for one in threading.enumerate()})


def test_drift_under_fail_stops_somebody_elses_task(
    here: Any, work: Work, elsewhere: Codebeamer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CODEBEAMER__WATCH_SECONDS", "0.1")
    monkeypatch.setenv("AIRFLOW__CODEBEAMER__ON_DRIFT", "fail")
    keep(work)
    grant(here, TRACKER)
    with pytest.raises(AirflowFailException, match="role Tester may"):
        until(lambda: False)
    assert work.killed.is_set()
    # The lock is still the run's, and released as usual.
    assert here.owners() == {TRACKER: RUN}
    assert elsewhere.engine.release(TRACKER, owner_key=RUN).released


def test_one_lost_lock_of_several_stops_the_task(
    here: Any, elsewhere: Codebeamer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The word is of whichever lock it was, not only of the last."""
    monkeypatch.setenv("AIRFLOW__CODEBEAMER__BEAT_SECONDS", "0.1")
    ti = SimpleNamespace(dag_id="fill", run_id="manual/1", map_index=-1)
    both = [TRACKER, OTHER]
    lock = LockTrackerOperator(task_id="lock", tracker_id=both, lease=LEASE)
    work = Work(lock.execute({"ti": ti}))
    keep(work)
    release = threading.Thread(
        target=elsewhere.engine.release, args=(TRACKER,), kwargs={"owner_key": RUN}
    )
    release.start()
    with pytest.raises(AirflowFailException, match="The lock of tracker 2001 was lost"):
        until(lambda: False)
    release.join()
    work.end()
