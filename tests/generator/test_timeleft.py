from __future__ import annotations

from datetime import timedelta

from airflow_codebeamer.clock import ManualClock
from airflow_codebeamer.generator import TimeLeft
from airflow_codebeamer.skeleton import Progress


def test_at_a_steady_pace_the_guess_is_the_truth(clock: ManualClock) -> None:
    left = TimeLeft(clock)
    assert left.note(Progress("create", 1, 1_461)) is None
    for done in range(2, 1_400):
        clock.advance(0.5)
        guess = left.note(Progress("create", done, 1_461))
        assert guess is None or guess == timedelta(seconds=round((1_461 - done) * 0.5))
    line = left.tell(Progress("create", 1_400, 1_461))
    assert line.startswith("create: 1,400 of 1,461 (95 %), 0:00:")


def test_each_phase_begins_anew_and_the_last_step_leaves_nothing(
    clock: ManualClock,
) -> None:
    left = TimeLeft(clock)
    left.note(Progress("create", 1, 10))
    clock.advance(60)
    assert left.tell(Progress("create", 10, 10)) == "create: 10 of 10 (100 %)"
    assert left.note(Progress("update", 5, 10)) is None
    clock.advance(3)
    assert left.note(Progress("update", 6, 10)) == timedelta(seconds=12)
    assert left.note(Progress("update", 2, 10)) is None


def test_who_does_not_know_the_total_says_how_many(clock: ManualClock) -> None:
    assert TimeLeft(clock).tell(Progress("export", 12_000, 0)) == "export: 12,000"
