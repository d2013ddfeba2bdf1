"""Random stories of everybody who has to do with a lock, on the real engine."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import get_state_machine_test

from tests.schedules.ground import BadError, Ground
from tests.schedules.machine import Holder, Machine
from tests.schedules.nightly import memory
from tests.schedules.process import COMMIT, Process

#: How many stories are played, in so many parts, of so many steps each.
EXAMPLES = int(os.environ.get("CODEBEAMER_LOCK_EXAMPLES", "2000"))
PARTS = 8
STEPS = int(os.environ.get("CODEBEAMER_LOCK_STEPS", "60"))
#: The same stories each time, unless another number is given.
SEED = int(os.environ.get("CODEBEAMER_LOCK_SEED", "1"))
#: Whether a failure is made short.
IS_SHORT = "CODEBEAMER_LOCK_SHORT" in os.environ


@pytest.fixture
def ground(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    # The HTTP library looks through all of it for proxies before each request.
    for name in set(os.environ) - {"PYTEST_CURRENT_TEST"}:
        monkeypatch.delenv(name)
    usual = gc.get_threshold()
    with memory() as place:
        ground = Ground(place, 2)
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        yield ground
        gc.set_threshold(*usual)
        gc.unfreeze()
        ground.close()


@pytest.mark.stories
@pytest.mark.timeout(6000)
@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_the_invariants_hold(ground: Ground, part: int) -> None:
    how = settings(
        max_examples=EXAMPLES // PARTS,
        stateful_step_count=STEPS,
        # To make a failure short takes minutes; it is the same when it is told again.
        phases=tuple(Phase) if IS_SHORT else (Phase.generate,),
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    play = get_state_machine_test(lambda: Machine(ground), settings=how)
    seed(SEED * PARTS + part)(play)()


# The judge of zombies


class Careless:
    """An engine that goes on with a lock without looking whether it still has it."""

    def __init__(self, ground: Ground, process: Process, *, early: bool) -> None:
        self._ground = ground
        self._process = process
        self._early = early

    def release(self, *_: Any, **__: Any) -> None:
        self._write(self._early)
        self._process.begins(COMMIT)
        self._write(not self._early)

    def renew(self, _: Any) -> None:
        self.release()

    def _write(self, now: bool) -> None:
        if now:
            more = "lease_until = lease_until + 1"
            self._ground.store.ask(f"UPDATE codebeamer_lock SET {more}")


class Drawn:
    """Draws the one holder there is to draw."""

    def __init__(self, holder: Holder) -> None:
        self._holder = holder

    def draw(self, _: Any) -> Holder:
        return self._holder


@pytest.fixture
def machine() -> Iterator[Machine]:
    with memory() as place:
        ground = Ground(place, 1)
        yield Machine(ground)
        ground.close()


def _sleeper(machine: Machine, owner: str = "dag/run 1") -> Holder:
    """Return a holder who stops before his next commit, while another run comes."""
    machine._acquire(owner, {})
    holder = machine.holders[-1]
    process = machine._process({0: "pause"})
    engine = machine.ground.engine(process)
    return Holder(engine, process, holder.lock, holder.jumps)


@pytest.mark.parametrize("does", ["beat", "zombie_releases"])
def test_what_another_run_does_while_a_zombie_sleeps_is_not_his(machine, does):
    holder = _sleeper(machine)
    getattr(machine, does)(Drawn(holder))
    assert holder.process.met == 1
    assert machine._row()["owner_key"] == "dag/run 2"
    machine.holds()


@pytest.mark.parametrize("does", ["beat", "zombie_releases"])
def test_a_zombie_that_writes_after_his_sleep_is_bad(machine, does):
    holder = _sleeper(machine)
    holder.engine = Careless(machine.ground, holder.process, early=False)
    with pytest.raises(BadError, match="S10"):
        getattr(machine, does)(Drawn(holder))


def test_a_zombie_that_writes_before_his_sleep_is_bad(machine):
    holder = _sleeper(machine)
    machine.ground.clock.sleep(7200)
    machine._acquire("dag/run 2", {})
    holder.engine = Careless(machine.ground, holder.process, early=True)
    with pytest.raises(BadError, match="S10"):
        machine.zombie_releases(Drawn(holder))


def test_a_release_under_an_old_epoch_of_the_same_owner_is_bad(machine):
    holder = _sleeper(machine)
    machine.release("dag/run 1", {})
    machine._acquire("dag/run 1", {})
    holder.engine = Careless(machine.ground, Process(), early=True)
    with pytest.raises(BadError, match="S10"):
        machine.zombie_releases(Drawn(holder))
