"""Real processes, real stores: races, kill -9, and one that is stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer.clock import SystemClock
from airflow_codebeamer.locking import LockState, Recovery
from airflow_codebeamer.settings import LockSettings

PROGRAM = Path(__file__).with_name("programs") / "locker.py"
PUT = "updatePermission"


class Process:
    """One locker; `tell` lets it take the next step and returns what it said."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def hear(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        said: dict[str, Any] = json.loads(line)
        return said

    def go(self) -> None:
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


@pytest.fixture
def real(make_bench, database):
    """A bench on the real store of this dialect, with real time."""
    bench = make_bench()
    bench.database.close()
    bench.database, bench.clock = database, SystemClock()
    return bench


@pytest.fixture
def start(real, store_url) -> Iterator[Callable[[str], Process]]:
    started: list[Process] = []

    def start(key: str) -> Process:
        process = Process(real.server.url, store_url, str(real.tracker), key)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()


def _recover(bench):
    """Recover as soon as the lease of the dead is over; at most ten seconds."""
    settings = LockSettings()
    values = {"ttl": 3.0, "beat": 0.5, "margin": 1.0, "lock_delay": 1.0}
    settings = LockSettings.model_validate({**settings.model_dump(), **values})
    recovery = Recovery(bench.engine(settings=settings), trust_store=True)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        done = recovery.recover()
        if done:
            return done
        time.sleep(0.1)
    raise AssertionError("the lock was never over")


@pytest.mark.trap("T18")
def test_two_processes_race_and_one_holds(real, start):
    before = real.permissions()
    racers = [start("run 1"), start("run 2")]
    for racer in racers:
        assert racer.hear() == {"ready": True}
    for racer in racers:
        racer.go()
    said = [racer.hear() for racer in racers]
    winners = [index for index, one in enumerate(said) if "held" in one]
    assert len(winners) == 1
    winner = winners[0]
    told = said[1 - winner]
    assert told["held_by"] == f"run {winner + 1}"
    assert told["why"] == f"work of run {winner + 1}"
    assert told["since"].startswith("20")
    assert told["since"] < told["until"]
    racers[winner].go()
    assert racers[winner].hear() == {"guard": "good"}
    assert racers[winner].hear()["released"]
    assert real.permissions() == before


@pytest.mark.trap("T28")
def test_processes_of_one_owner_get_the_same_lock(real, start):
    before = real.permissions()
    real.server.add_fault({"kind": "delay", "operation": PUT, "nth": 1, "seconds": 1})
    tries = [start("run 1") for _ in range(3)]
    for one in tries:
        assert one.hear() == {"ready": True}
    for one in tries:
        one.go()
    said = [one.hear() for one in tries]
    assert said == [{"held": 1}] * 3
    assert len(real.operations(PUT)) == 2
    tries[0].go()
    assert tries[0].hear() == {"guard": "good"}
    assert tries[0].hear()["released"]
    assert real.permissions() == before
    tries[1].go()
    assert tries[1].hear()["guard"] in ("it was released", "it is restoring by now")
    assert tries[1].hear() == {"released": False, "why": "nothing is locked"}


@pytest.mark.nightly
def test_processes_of_one_owner_release_at_once_and_each_hears_that_all_is_back(
    real, start
):
    before = real.permissions()
    tries = [start("run 1") for _ in range(3)]
    for one in tries:
        one.hear()
        one.go()
    assert [one.hear() for one in tries] == [{"held": 1}] * 3
    real.server.add_fault({"kind": "delay", "operation": PUT, "seconds": 0.5})
    for one in tries:
        one.go()
    for one in tries:
        one.hear()
    said = [one.hear() for one in tries]
    assert [one["released"] for one in said] == [True] * 3, said
    assert real.permissions() == before


@pytest.mark.trap("T26")
def test_a_killed_holder_is_recovered_byte_for_byte(real, start):
    before = real.permissions()
    process = start("run 1")
    process.hear()
    process.go()
    assert process.hear()["held"]
    assert real.permissions() != before
    process.kill()
    (done,) = _recover(real)
    assert (done.state, done.action) == (LockState.HELD, "recovered")
    assert real.permissions() == before


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.trap("T2")
def test_one_killed_while_it_locks_is_recovered_byte_for_byte(real, start, nth):
    before = real.permissions()
    # The request is still on its way when its sender dies.
    real.server.add_fault({"kind": "delay", "operation": PUT, "nth": nth, "seconds": 1})
    process = start("run 1")
    process.hear()
    process.go()
    while not real.server.faults()[0]["met"]:
        time.sleep(0.02)
    process.kill()
    (done,) = _recover(real)
    assert (done.state, done.action) == (LockState.LOCKING, "recovered")
    assert real.permissions() == before
    time.sleep(0.5)
    assert real.permissions() == before


@pytest.mark.trap("T4")
def test_one_that_was_stopped_learns_it_and_changes_nothing(real, start):
    before = real.permissions()
    process = start("run 1")
    process.hear()
    process.go()
    assert process.hear()["held"]
    process.send(signal.SIGSTOP)
    assert _recover(real)[0].action == "recovered"
    real.server.clear_calls()
    process.send(signal.SIGCONT)
    process.go()
    assert process.hear()["guard"] != "good"
    said = process.hear()
    assert (said["released"], said["why"]) == (False, "nothing is locked")
    assert real.operations() == []
    assert real.permissions() == before
