"""Jobs of the server itself: ours are over before a release, others' are told."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_codebeamer.locking import LockState
from airflow_codebeamer.models import NewItem
from airflow_codebeamer.settings import LockSettings

PUT, ASK, WRITE = "updatePermission", "getBackgroundJob", "updateCustomFieldTrackerItem"


class Work:
    """A tracker with an item, and jobs that rename it after a while."""

    def __init__(self, bench: Any, owner: Any) -> None:
        self.bench = bench
        self.owner = owner
        self.item = bench.client().items.create_item(bench.tracker, NewItem("One")).id
        bench.server.advance(5)
        self.engine = bench.engine(settings=LockSettings(certificate="warn"))

    def job(self, user: str, name: str, seconds: float) -> int:
        value = {"fieldId": 3, "type": "TextFieldValue", "value": name}
        path = f"/v3/items/{self.item}/fields"
        request = {"method": "PUT", "path": path, "body": {"fieldValues": [value]}}
        step = {"seconds": seconds, "request": request}
        return int(self.bench.server.start_job(user, step))

    def acquire(self) -> Any:
        return self.engine.acquire(self.bench.tracker, owner=self.owner)

    def release(self) -> Any:
        return self.engine.release(self.bench.tracker, owner_key=self.owner.key)

    @property
    def name(self) -> str:
        return str(self.bench.client().items.get_item(self.item).name)


@pytest.fixture
def work(bench: Any, owner: Any) -> Work:
    return Work(bench, owner)


class Looking(list[str]):
    """What is said; at each line it looks."""

    def __init__(self, look: Any) -> None:
        super().__init__()
        self._look = look

    def append(self, line: str) -> None:
        super().append(line)
        self._look(line)


@pytest.mark.trap("T36")
def test_a_release_waits_for_a_job_of_ours_that_still_writes(bench, owner) -> None:
    states: list[LockState] = []

    def look(line: str) -> None:
        if "waiting for 1 job" in line:
            found = work.engine.parts.store.find(bench.server.url, bench.tracker)
            states.append(found.state)
            bench.server.advance(5)

    bench.said = Looking(look)
    work = Work(bench, owner)
    before = bench.permissions()
    lock = work.acquire()
    work.engine.register_job(lock, work.job("generator", "by a job", 12), "move")
    bench.server.clear_calls()
    report = work.release()
    assert report.jobs == ()
    assert report.certificate.is_clean
    assert states == [LockState.HELD] * 3
    # Its last write is there before the first right is given back, and for good.
    calls = bench.operations(PUT, ASK, WRITE)
    assert calls == [ASK] * 3 + [WRITE, ASK] + [PUT] * 2
    assert work.name == "by a job"
    assert bench.permissions() == before


@pytest.mark.trap("T36")
@pytest.mark.parametrize("as_system", [True, False])
def test_a_job_of_somebody_else_is_told_by_the_certificate(
    work, as_system: bool
) -> None:
    """It was started before the lock; some servers look at its rights only then."""
    bench = work.bench
    bench.server.assume(jobs_write_as_system=as_system)
    work.job("alice", "by a job of hers", 12)
    work.acquire()
    bench.server.advance(20)
    certificate = work.release().certificate
    told = [(one.item_id, one.by) for one in certificate.changes]
    assert told == ([(work.item, "alice")] if as_system else [])
    assert certificate.is_clean is not as_system
    assert work.name == ("by a job of hers" if as_system else "One")


@pytest.mark.trap("T36")
def test_a_job_of_somebody_else_cannot_be_waited_for(work) -> None:
    """It is told as one that may still write, and holds nothing up for ever."""
    before = work.bench.permissions()
    lock = work.acquire()
    work.engine.register_job(lock, work.job("alice", "late", 3600))
    [told] = work.release().jobs
    assert "was not over (status 403 when asked) and may still write" in told
    assert work.bench.permissions() == before


def test_a_job_under_our_own_account_that_nobody_registered_counts_as_ours(
    work,
) -> None:
    work.job("generator", "of another run", 12)
    work.acquire()
    work.bench.server.advance(20)
    certificate = work.release().certificate
    assert certificate.is_clean
    assert certificate.changed_by_us == 1
