from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_codebeamer.clock import ManualClock
from airflow_codebeamer.database import Database
from airflow_codebeamer.errors import DatabaseError, Retry
from airflow_codebeamer.ids import Epoch, Lineage, RunId, TrackerId
from airflow_codebeamer.journal import Run, Runs, RunState
from airflow_codebeamer.settings import StoreSettings

RUN = Run(
    run_id=RunId("run-1"),
    server="https://alm.example.com/cb",
    tracker_id=TrackerId(2001),
    lineage=Lineage("lineage-1"),
    epoch=Epoch(3),
    owner="dag/run",
    digest="sha256:0",
    summary={"planned": {"create": 3}},
)


@pytest.fixture
def runs(database: Database) -> Runs:
    return Runs(database)


def _open(runs: Runs, lineage: str | None = None) -> list[str]:
    wanted = None if lineage is None else Lineage(lineage)
    return [r.run_id for r in runs.list_open(RUN.server, RUN.tracker_id, wanted)]


def test_run_is_stored_as_it_was_given(runs: Runs) -> None:
    stored = runs.open_run(RUN)
    assert stored == runs.find_run(RUN.run_id)
    assert replace(stored, opened_at=None, changed_at=None) == RUN
    assert stored.opened_at is not None
    assert runs.find_run(RunId("other")) is None


def test_run_opened_again_is_the_one_that_is_there(runs: Runs) -> None:
    first = runs.open_run(RUN)
    runs.set_state(RUN.run_id, RunState.APPLYING)
    again = runs.open_run(RUN)
    assert again.state is RunState.APPLYING
    assert again.opened_at == first.opened_at


@pytest.mark.parametrize(
    "change",
    [
        {"tracker_id": TrackerId(1)},
        {"epoch": Epoch(4)},
        {"lineage": Lineage("x")},
        {"server": "s"},
    ],
)
def test_run_id_of_another_run_is_refused(runs: Runs, change: dict) -> None:
    runs.open_run(RUN)
    with pytest.raises(DatabaseError, match="run-1 exists") as caught:
        runs.open_run(replace(RUN, **change))
    assert caught.value.retry is Retry.NEVER
    assert runs.find_run(RUN.run_id).epoch == 3


def test_state_and_summary_change_with_their_time(
    store_url: str, clock: ManualClock
) -> None:
    database = Database(StoreSettings(url=store_url), clock=clock)
    runs = Runs(database)
    opened = clock.now()
    runs.open_run(RUN)
    clock.advance(60)
    runs.set_state(RUN.run_id, RunState.APPLYING)
    run = runs.find_run(RUN.run_id)
    assert (run.state, run.summary) == (RunState.APPLYING, RUN.summary)
    assert (run.opened_at, run.changed_at) == (opened, clock.now())
    runs.set_state(RUN.run_id, RunState.DONE, {"created": 3})
    assert runs.find_run(RUN.run_id).summary == {"created": 3}
    database.close()


def test_open_runs_are_those_that_nobody_ended(runs: Runs) -> None:
    for number, state in enumerate(RunState):
        run = replace(RUN, run_id=RunId(state.value), lineage=Lineage(str(number)))
        runs.open_run(run)
        runs.set_state(run.run_id, state)
    runs.open_run(replace(RUN, run_id=RunId("elsewhere"), tracker_id=TrackerId(9)))
    assert _open(runs) == ["planned", "applying"]
    assert _open(runs, "1") == ["applying"]
    assert _open(runs, "2") == []


ENDED = [
    (RunState.ROLLED_BACK, RunState.DONE),
    (RunState.ROLLED_BACK, RunState.APPLYING),
    (RunState.ROLLED_BACK, RunState.ROLLBACK_INCOMPLETE),
    (RunState.ROLLBACK_INCOMPLETE, RunState.DONE),
    (RunState.DONE, RunState.APPLYING),
    (RunState.APPLYING, RunState.PLANNED),
]


@pytest.mark.parametrize(("first", "then"), ENDED)
def test_ended_run_is_not_revived(runs: Runs, first: RunState, then: RunState) -> None:
    runs.open_run(RUN)
    runs.set_state(RUN.run_id, first)
    with pytest.raises(DatabaseError, match=first.value) as caught:
        runs.set_state(RUN.run_id, then, {"late": True})
    assert caught.value.retry is Retry.NEVER
    run = runs.find_run(RUN.run_id)
    assert (run.state, run.summary) == (first, RUN.summary)


@pytest.mark.parametrize("state", list(RunState))
def test_same_state_again_is_quiet(runs: Runs, state: RunState) -> None:
    runs.open_run(RUN)
    runs.set_state(RUN.run_id, state)
    runs.set_state(RUN.run_id, state, {"again": True})
    assert runs.find_run(RUN.run_id).summary == {"again": True}


@pytest.mark.parametrize(
    "first", [RunState.PLANNED, RunState.DONE, RunState.ROLLBACK_INCOMPLETE]
)
def test_everything_can_be_rolled_back(runs: Runs, first: RunState) -> None:
    runs.open_run(RUN)
    runs.set_state(RUN.run_id, first)
    runs.set_state(RUN.run_id, RunState.ROLLED_BACK)
    assert runs.find_run(RUN.run_id).state is RunState.ROLLED_BACK


def test_unknown_run_is_refused(runs: Runs) -> None:
    with pytest.raises(DatabaseError, match="no run nobody"):
        runs.set_state(RunId("nobody"), RunState.DONE)
