"""The table of steps: complete, reachable, and what the drawing says."""

from __future__ import annotations

import pytest

from airflow_codebeamer.errors import IllegalStepError
from airflow_codebeamer.locking import LockState
from airflow_codebeamer.locking.states import (
    OWNED,
    RESTRICTED,
    STEPS,
    sources,
    target,
)


def test_every_state_is_entered_and_left():
    assert {step.source for step in STEPS} == set(LockState)
    assert {step.target for step in STEPS} == set(LockState)


@pytest.mark.trap("T3")
def test_only_what_was_verified_or_never_touched_becomes_free():
    assert {step.source for step in STEPS if step.target is LockState.FREE} == {
        LockState.GRANTED,
        LockState.RESTORING,
    }


def test_every_change_of_hands_raises_the_epoch():
    raising = {step.name for step in STEPS if step.raises_epoch}
    assert raising == {"grant", "adopt", "take over", "clear", "heal", "forget"}


def test_a_name_and_a_state_decide_a_step():
    pairs = [(step.name, step.source) for step in STEPS]
    assert len(pairs) == len(set(pairs))
    for step in STEPS:
        assert target(step.source, step.name) is step.target
        assert step.source in sources(step.name)


def test_an_illegal_step_says_so():
    with pytest.raises(IllegalStepError, match="free cannot hold"):
        target(LockState.FREE, "hold")


def test_groups():
    assert {state for state in LockState if state.is_owned} == OWNED
    assert {state for state in LockState if state.is_restricted} == RESTRICTED
    assert not LockState.GRANTED.is_restricted
