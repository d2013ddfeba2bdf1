"""Random stories of everybody who has to do with a lock, on the real engine."""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.schedules.ground import Ground
from tests.schedules.machine import Machine
from tests.schedules.nightly import memory

EXAMPLES = int(os.environ.get("CODEBEAMER_LOCK_EXAMPLES", "60"))
STEPS = int(os.environ.get("CODEBEAMER_LOCK_STEPS", "60"))


@pytest.mark.timeout(6000)
def test_whatever_happens_the_invariants_hold() -> None:
    how = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        # The same stories each time, unless a seed is given (--hypothesis-seed).
        derandomize="CODEBEAMER_LOCK_EXAMPLES" not in os.environ,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    with memory() as place:
        ground = Ground(place, 2)
        gc.freeze()
        run_state_machine_as_test(lambda: Machine(ground), settings=how)
        gc.unfreeze()
        ground.close()
