"""Forty minutes of work, and ten minutes in which nobody begins it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow_codebeamer.locking import LockState, Owner
from tests.outages.stage import COUNT, KEY, Stage, stage_in

_ITEMS = 200
_AWAY_SECONDS = 600.0
_JANITOR_SECONDS = 180.0


class Janitor:
    """Recovers every three minutes of the stage's time, as another process."""

    def __init__(self, stage: Stage) -> None:
        self.rounds = 0
        self.found: list[str] = []
        self._recovery = stage.connect().recovery
        self._clock = stage.clock
        self._next = stage.clock.monotonic() + _JANITOR_SECONDS

    def come(self, seconds: float) -> None:
        """Recover if it is time to."""
        if self._clock.monotonic() >= self._next:
            self._next += _JANITOR_SECONDS
            self.rounds += 1
            self.found += [one.action for one in self._recovery.recover()]


def test_forty_minutes_of_work_under_a_throttle_keep_their_lock(tmp_path: Path) -> None:
    real = timedelta(seconds=10)
    with stage_in(tmp_path, throttle="10/m", per_minute=10, patience=real) as stage:
        janitor = Janitor(stage)

        def pass_(seconds: float) -> None:
            stage.server.advance(seconds)
            janitor.come(seconds)

        stage.clock.on_step = pass_

        def describe() -> Iterator[dict[str, Any]]:
            for number in range(_ITEMS):
                stage.clock.sleep(6)
                yield {"key": f"n{number}", "name": f"n{number}"}

        with stage.connect() as codebeamer:
            lock = codebeamer.engine.acquire(stage.tracker, owner=Owner(KEY))
            began = stage.clock.monotonic()
            summary = codebeamer.runner.apply(
                describe, {}, stage.tracker, lock, run_key=KEY
            )
            took = stage.clock.monotonic() - began
            after = stage.store.find(stage.server.url, stage.tracker)
            assert after is not None
            assert (after.state, after.epoch) == (LockState.HELD, lock.epoch)
            report = codebeamer.engine.release(stage.tracker, owner_key=KEY)
        assert took >= 40 * 60
        assert summary.created == _ITEMS
        assert report.released
        assert janitor.rounds >= 13
        assert janitor.found == []
        assert stage.clock.beats > took / 60
        assert stage.is_free


def test_a_scheduler_that_is_away_for_less_than_the_lease_costs_nothing(
    stage: Stage,
) -> None:
    janitor = Janitor(stage)
    with stage.connect() as codebeamer:
        lock = codebeamer.engine.acquire(stage.tracker, owner=Owner(KEY))
    stage.clock.on_step = janitor.come
    stage.clock.sleep(_AWAY_SECONDS)
    stage.clock.on_step = lambda seconds: None
    assert janitor.rounds >= 3
    assert janitor.found == []
    now = stage.store.find(stage.server.url, stage.tracker)
    assert now is not None
    assert (now.state, now.epoch) == (LockState.HELD, lock.epoch)
    stage.play()
    assert stage.errors == []
    assert stage.created == COUNT
    assert stage.is_free


def test_one_that_is_away_for_longer_finds_the_tracker_given_back(
    stage: Stage,
) -> None:
    janitor = Janitor(stage)
    with stage.connect() as codebeamer:
        lock = codebeamer.engine.acquire(
            stage.tracker, owner=Owner(KEY), lease=timedelta(minutes=5)
        )
    stage.clock.on_step = janitor.come
    stage.clock.sleep(_AWAY_SECONDS)
    stage.clock.on_step = lambda seconds: None
    assert janitor.found == ["recovered"]
    assert stage.is_free
    # The generator takes the lock again before it writes.
    with stage.connect() as codebeamer:
        again = codebeamer.engine.acquire(stage.tracker, owner=Owner(KEY))
        assert again.epoch > lock.epoch
    stage.play()
    assert stage.created == COUNT
    assert stage.is_free
