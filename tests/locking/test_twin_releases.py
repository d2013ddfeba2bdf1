"""One owner releases several times at once: everybody hears that all is back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from types import SimpleNamespace

import pytest

from airflow_codebeamer.clock import SystemClock
from airflow_codebeamer.errors import RestorePendingError
from airflow_codebeamer.locking import LockState, Owner
from airflow_codebeamer.locking.twins import is_finished_by_a_twin

PUT = "updatePermission"
WORDS = "put everything back"
#: What an undo reports that had nothing to do.
NOTHING = SimpleNamespace(undone=(), left=())


@pytest.fixture
def real(make_bench, database):
    """A bench on the real store of this dialect, with real time."""
    bench = make_bench()
    bench.database.close()
    bench.database, bench.clock = database, SystemClock()
    return bench


def test_threads_that_release_at_once_restore_once(real):
    owner = Owner.here("dag/run 1")
    before = real.permissions()
    lock = real.engine().acquire(real.tracker, owner=owner)
    real.server.clear_calls()
    real.server.add_fault({"kind": "delay", "seconds": 0.2, "operation": PUT})
    engines = [real.engine() for _ in range(5)]
    together = Barrier(5)

    def release(engine):
        together.wait()
        return engine.release(real.tracker, owner_key=owner.key, epoch=lock.epoch)

    with ThreadPoolExecutor(5) as pool:
        reports = list(pool.map(release, engines))
    assert [report.released for report in reports] == [True] * 5
    assert {report.restored for report in reports} == {("Writer 1", "Writer 2")}
    assert sum(WORDS in report.why for report in reports) == 4
    assert len(real.operations(PUT)) == 2
    assert real.permissions() == before
    assert real.engine().parts.store.find(real.server.url, real.tracker).epoch == 1


def test_who_was_fenced_by_his_own_owner_reports_what_was_done(bench, owner):
    """The other release comes from elsewhere, in the middle of ours."""
    before = bench.permissions()
    inner = []

    def undo(lock, guard):
        if not inner:
            inner.append(None)
            other = bench.engine()
            inner[0] = other.release(bench.tracker, owner_key=owner.key)
        return NOTHING

    engine = bench.engine(undo=undo)
    engine.acquire(bench.tracker, owner=owner)
    bench.grant("Writer 1", [0, 2, 5, 8, 10, 21])
    report = engine.release(bench.tracker, owner_key=owner.key)
    assert inner[0].released
    assert inner[0].why == ""
    assert report.released
    assert f"of {owner.key}, {WORDS}" in report.why
    assert report.drift == inner[0].drift != ()
    assert report.restored == inner[0].restored
    assert bench.permissions() != before
    record = engine.parts.store.find(bench.server.url, bench.tracker)
    assert (record.state, record.epoch) == (LockState.FREE, 2)


def test_who_was_fenced_by_an_own_release_that_failed_goes_on_with_it(bench, owner):
    before = bench.permissions()
    tries = []

    def undo(lock, guard):
        tries.append(lock.epoch)
        if len(tries) > 1:
            return NOTHING
        number = bench.server.add_fault(
            {"kind": "status", "status": 500, "operation": PUT}
        )
        with pytest.raises(RestorePendingError):
            bench.engine().release(bench.tracker, owner_key=owner.key)
        bench.server.remove_fault(number)
        return NOTHING

    engine = bench.engine(undo=undo)
    engine.acquire(bench.tracker, owner=owner)
    assert engine.release(bench.tracker, owner_key=owner.key).released
    assert tries == [1, 3]
    assert bench.permissions() == before


def test_nobody_waits_for_somebody_elses_restore(bench, owner):
    def undo(lock, guard):
        taken = bench.engine().parts.store
        taken.set_breaking(lock, by="carol", reason="stuck", period=timedelta())
        bench.pass_time(minutes=1)
        seen = taken.find(bench.server.url, bench.tracker)
        assert taken.take_over(
            seen,
            "carol",
            ttl=timedelta(minutes=1),
            lock_delay=timedelta(),
            why="stuck",
        )
        return NOTHING

    engine = bench.engine(undo=undo)
    engine.acquire(bench.tracker, owner=owner)
    began = bench.clock.monotonic()
    report = engine.release(bench.tracker, owner_key=owner.key)
    assert not report.released
    assert bench.clock.monotonic() - began == pytest.approx(60)


def test_a_twin_that_lives_is_waited_for_until_its_lease_is_over(bench, owner):
    engine = bench.engine()
    lock = engine.acquire(bench.tracker, owner=owner)
    store, minute = engine.parts.store, timedelta(minutes=1)
    first = store.start_restoring(lock, ttl=minute, dirty=timedelta())
    assert store.resume_restoring(first, owner, ttl=minute, dirty=timedelta())
    began = bench.clock.monotonic()
    assert is_finished_by_a_twin(engine.parts, first)
    assert bench.clock.monotonic() - began == pytest.approx(60)


def test_a_second_release_after_the_first_is_quiet_as_before(bench, owner):
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner)
    assert engine.release(bench.tracker, owner_key=owner.key).why == ""
    again = engine.release(bench.tracker, owner_key=owner.key)
    assert (again.released, again.why) == (False, "nothing is locked")
