"""People who have an item open: not looked for, waited for, or named."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_codebeamer.clock import ManualClock
from airflow_codebeamer.errors import EditorsOpenError, Retry
from airflow_codebeamer.locking import LockState
from airflow_codebeamer.settings import LockSettings

LOOK, PUT = "checkTrackerItemLock", "updatePermission"


@pytest.fixture
def bench(make_bench):
    return make_bench(items=4)


def open_editor(bench: Any, item: int, *, user: str = "alice") -> None:
    path = f"/v3/items/{item}/lock"
    assert bench.server.act(user, "PUT", path, {"hard": False}) == 200


def items(bench: Any) -> list[int]:
    return [one["id"] for one in bench.server.items(bench.tracker)]


def test_nobody_looks_unless_asked(bench, owner):
    open_editor(bench, items(bench)[1])
    bench.engine().acquire(bench.tracker, owner=owner)
    assert bench.operations(LOOK) == []


def test_an_open_editor_is_named_with_item_and_person(bench, owner):
    item = items(bench)[2]
    open_editor(bench, item)
    engine = bench.engine(settings=LockSettings(open_editors="fail"))
    with pytest.raises(EditorsOpenError) as caught:
        engine.acquire(bench.tracker, owner=owner)
    assert f"alice has item {item} (Item 2) open" in str(caught.value)
    assert caught.value.retry is Retry.YES
    assert len(bench.operations(LOOK)) == 5
    assert bench.operations(PUT) == []
    found = engine.parts.store.find(bench.server.url, bench.tracker)
    assert found is None or found.state is LockState.FREE


def test_a_reservation_is_given_back_when_somebody_edits(bench, owner):
    open_editor(bench, items(bench)[0])
    engine = bench.engine(settings=LockSettings(open_editors="fail"))
    engine.reserve(bench.tracker, owner=owner, reason="")
    with pytest.raises(EditorsOpenError):
        engine.acquire(bench.tracker, owner=owner)
    found = engine.parts.store.find(bench.server.url, bench.tracker)
    assert found.state is LockState.FREE


def test_our_own_item_locks_are_no_editors(bench, owner):
    open_editor(bench, items(bench)[0], user="generator")
    engine = bench.engine(settings=LockSettings(open_editors="fail"))
    assert engine.acquire(bench.tracker, owner=owner).is_mine


def test_only_so_many_items_are_looked_at_and_it_is_said(bench, owner):
    settings = LockSettings(open_editors="fail", open_editors_items=2)
    bench.engine(settings=settings).acquire(bench.tracker, owner=owner)
    assert len(bench.operations(LOOK)) == 2
    assert "in the 2 items changed last, of 5" in bench.said[0]


def test_who_closes_in_time_is_waited_for(make_bench, owner):
    bench = make_bench(items=2)
    item = items(bench)[1]
    open_editor(bench, item)

    class Closing(ManualClock):
        """A clock that closes the editor at its third sleep."""

        slept = 0

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            self.slept += 1
            if self.slept == 3:
                path = f"/v3/items/{item}/lock"
                assert bench.server.act("alice", "DELETE", path) == 200

    clock = Closing(bench.clock.now())
    bench.clock = clock
    engine = bench.engine(settings=LockSettings(open_editors="wait"))
    assert engine.acquire(bench.tracker, owner=owner).state is LockState.HELD
    assert clock.slept == 3
    # All once, then the one that was open, again and again.
    assert len(bench.operations(LOOK)) == 3 + 3
    assert "alice has item" in bench.said[0]


def test_who_does_not_close_refuses_the_lock_in_the_end(bench, owner, clock):
    open_editor(bench, items(bench)[0])
    wait = timedelta(minutes=1)
    settings = LockSettings(open_editors="wait", open_editors_wait=wait)
    began = clock.monotonic()
    with pytest.raises(EditorsOpenError):
        bench.engine(settings=settings).acquire(bench.tracker, owner=owner)
    assert clock.monotonic() - began == pytest.approx(60)
    assert bench.operations(PUT) == []
