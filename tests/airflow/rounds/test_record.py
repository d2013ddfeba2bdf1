"""The judge of rounds sees what it is there for; what was measured holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_codebeamer.ids import Epoch, TrackerId
from airflow_codebeamer.locking import Event
from tests.airflow.matrix.row import Row
from tests.airflow.rounds.faults import FAULTS
from tests.airflow.rounds.play import draw
from tests.airflow.rounds.record import Window, Write, judge_tracker, windows_of
from tests.airflow.rounds.result import load

ROW = Row("g0", "", lambda scene: None, "")
ONE, TWO = "row_g0/round-1a", "row_g0/round-1b"
COUNT = 12


def writes(tag: str, begin: float, **parts: Any) -> list[Write]:
    """Return a folder's worth of writes, one every tenth of a second."""
    moments = [begin + number / 10 for number in range(COUNT)]
    return [Write(tag, at, at + 0.2, **{"alive": True, **parts}) for at in moments]


def event(kind: str, who: str, second: float) -> Event:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    return Event(0, at, "server", TrackerId(1), Epoch(1), kind, who)


def test_a_window_goes_from_hold_to_whatever_ends_it() -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    events = [
        event("grant", ONE, 0),
        event("hold", ONE, 2),
        event("breaking", ONE, 5),
        event("take_over", "carol", 9),
        event("hold", TWO, 20),
    ]
    assert windows_of(events) == [
        Window(ONE, begin + 2, begin + 5),
        Window(TWO, begin + 20, float("inf")),
    ]


def test_whoever_writes_under_his_lock_is_in_order() -> None:
    windows = [Window(ONE, 0, 10), Window(TWO, 11, 20)]
    found = judge_tracker(ROW, writes("round-1a", 1) + writes("round-1b", 12), windows)
    assert (found.findings, found.late, found.writes) == ([], 0, 24)


def test_a_write_after_the_lock_is_counted_and_a_late_one_is_a_finding() -> None:
    windows = [Window(ONE, 0, 2)]
    soon = judge_tracker(ROW, writes("round-1a", 1, alive=False), windows)
    assert soon.late == 1
    assert soon.findings == []
    late = judge_tracker(ROW, writes("round-1a", 2.5, alive=False), windows)
    assert late.late == COUNT
    assert "after its lock was lost" in late.findings[0]


def test_a_write_in_somebody_elses_lock_is_a_finding() -> None:
    windows = [Window(ONE, 0, 2), Window(TWO, 2.1, 9)]
    found = judge_tracker(ROW, writes("round-1a", 1, alive=False), windows)
    assert f"round-1a wrote while {TWO} held it" in found.findings


def test_a_folder_that_is_half_there_is_a_finding() -> None:
    half = writes("round-1a", 1)[: COUNT - 1]
    found = judge_tracker(ROW, half, [Window(ONE, 0, 10)])
    assert found.findings == [f"{COUNT - 1} of {COUNT} items of round-1a are left"]


def test_a_round_is_the_same_for_the_same_seed() -> None:
    rounds = [draw(5, number) for number in range(300)]
    assert rounds == [draw(5, number) for number in range(300)]
    assert {one.fault for one in rounds} == {fault.name for fault in FAULTS}
    assert rounds != [draw(6, number) for number in range(300)]


def test_what_was_measured_left_nothing_behind() -> None:
    batches = load()
    assert batches
    assert [finding for batch in batches for finding in batch["findings"]] == []
