"""Ten minutes away, in any phase: a clear error, no damage, back within a minute."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.outages.stage import COUNT, KilledError, Stage

PHASES = ("lock", "generate", "release")
SERVER = {
    "no connection": {"kind": "reset"},
    "maintenance": {"kind": "status", "status": 503},
    "throttled": {"kind": "status", "status": 429},
    "broken": {"kind": "status", "status": 500},
    "answers lost": {"kind": "drop_answer"},
}
STORE = ("down", "full", "locked", "slow")

#: One for each outage and phase in every run of the tests, all of them at night.
CHOSEN = {
    "a run": {
        ("no connection", "release"),
        ("maintenance", "generate"),
        ("throttled", "lock"),
        ("full", "generate"),
    },
    "the janitor": {
        ("broken", "generate"),
        ("answers lost", "release"),
        ("down", "lock"),
        ("locked", "release"),
    },
}


def cases(who: str) -> list[object]:
    """Return every outage in every phase."""
    return [
        pytest.param(
            what,
            phase,
            marks=() if (what, phase) in CHOSEN[who] else pytest.mark.nightly,
            id=f"{what}, {phase}",
        )
        for what in (*SERVER, *STORE)
        for phase in PHASES
    ]


def away(stage: Stage, what: str) -> Callable[[], Callable[[], None]]:
    """Return what begins an outage of the server or of the store."""

    def begin() -> Callable[[], None]:
        if what in STORE:
            stage.gate.shut(what)
            return stage.gate.open
        number = stage.server.add_fault(SERVER[what])
        return lambda: stage.server.remove_fault(number)

    return begin


@pytest.mark.parametrize(("what", "phase"), cases("a run"))
def test_a_run_gives_back_within_a_minute_of_the_return(
    stage: Stage, what: str, phase: str
) -> None:
    stage.begin_when(phase, away(stage, what))
    stage.play()
    assert stage.has_begun
    if stage.returned_at is None:
        # A slow store keeps nobody from ending well before it is quick again.
        assert what == "slow"
        assert stage.is_free
        assert stage.created == COUNT
        return
    stage.check()


@pytest.mark.parametrize(("what", "phase"), cases("the janitor"))
def test_the_janitor_gives_back_for_a_run_that_is_dead(
    stage: Stage, what: str, phase: str
) -> None:
    stage.is_killed = True
    stage.begin_when(phase, away(stage, what))
    with pytest.raises(KilledError):
        stage.play()
    stage.janitor()
    if stage.returned_at is None:
        assert what == "slow"
        assert stage.is_free
        return
    stage.check()
