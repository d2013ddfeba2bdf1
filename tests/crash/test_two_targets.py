"""Two trackers written as one: killed by SIGKILL anywhere, both are as before.

Or both are complete. Nobody goes on with the run; recovery finds the two locks when
their leases are over, each by itself, and undoes what stands open.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from airflow_codebeamer.clock import ManualClock
from airflow_codebeamer.emulator import Emulator, WorldBuilder
from airflow_codebeamer.errors import BadRequestError, LockLostError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.journal import RunState
from airflow_codebeamer.locking import Owner
from airflow_codebeamer.settings import (
    LockSettings,
    ServerSettings,
    Settings,
    StoreSettings,
)
from airflow_codebeamer.skeleton import load_documents
from airflow_codebeamer.wiring import Codebeamer, connect

OWNER = "dag/run"
PROGRAM = Path(__file__).parent / "programs" / "apply_documents.py"

Outline = list[tuple[str, str, str, list[str]]]


@dataclass
class Stage:
    """Tests that point at requirements: two trackers, and a server."""

    server: Emulator
    folder: Path
    tests: TrackerId
    needs: TrackerId
    world: Any = None
    rights: Any = None
    opened: int = 0

    def store(self) -> str:
        self.opened += 1
        return f"sqlite:///{self.folder / f'{self.opened}.db'}"

    def renew(self) -> None:
        self.server.clear_faults()
        self.server.load_world(self.world)
        self.server.clear_calls()

    def connect(self, store: str, *, ahead: timedelta = timedelta()) -> Codebeamer:
        """Return engines of another process, whose clock may be ahead of time."""
        server = ServerSettings(
            url=self.server.url,
            login="generator",
            password=SecretStr("generator"),
            exclusive_role="Generator",
            requests_per_second=None,
            requests_per_minute=None,
        )
        tight = LockSettings(lock_delay=timedelta(seconds=0.05))
        url = StoreSettings(url=SecretStr(store))
        clock = ManualClock(datetime.now(UTC) + ahead)
        return connect(Settings(server=server, store=url, lock=tight), clock=clock)

    def documents(self, *, is_after: bool = True) -> list[dict[str, Any]]:
        """Return what is wanted; the tests are named first and must come last."""
        unit = "V" if is_after else "bar"
        subject = {"tracker": self.needs, "key": "N/new" if is_after else "N/old"}
        tests = [{"key": "T", "name": "Test", "fields": {"Subject": subject}}]
        needs = [{"key": "N/old", "name": "Old", "fields": {"Unit": unit}}]
        if is_after:
            tests.append({"key": "U", "name": "Newest", "fields": {"Subject": subject}})
            needs.append({"key": "N/new", "name": "New", "parent": "N/old"})
        else:
            needs.append({"key": "N/gone", "name": "Gone"})
        prune = {"mode": "trash", "max_percent": None}
        return [
            {
                "owner": "test",
                "target": {"tracker": tracker},
                "policy": {"prune": prune},
                "items": items,
            }
            for tracker, items in ((self.tests, tests), (self.needs, needs))
        ]

    def apply(self, codebeamer: Codebeamer, **what: Any) -> Any:
        documents = load_documents(self.documents(**what))
        locks = codebeamer.engine.acquire_all(
            [self.needs, self.tests], owner=Owner(OWNER)
        )
        try:
            return codebeamer.runner.apply_all(documents, {}, locks, run_key=OWNER)
        finally:
            for lock in codebeamer.runs.newest_first(locks):
                codebeamer.engine.release(lock.tracker_id, owner_key=OWNER)

    def outline(self) -> Outline:
        return [
            (
                item.get("parent", {}).get("name", ""),
                item["name"],
                next((f["value"] for f in item["customFields"] if f["fieldId"]), ""),
                [entry["name"] for entry in item["subjects"]],
            )
            for tracker in (self.tests, self.needs)
            for item in self.server.items(tracker)
        ]

    def kill(self, store: str, at: int, when: str) -> subprocess.CompletedProcess[str]:
        path = self.folder / "documents.json"
        path.write_text(json.dumps(self.documents()))
        return subprocess.run(
            [
                sys.executable,
                str(PROGRAM),
                self.server.url,
                store,
                str(path),
                str(at),
                when,
            ],
            capture_output=True,
            text=True,
            check=False,
        )

    def check_free(self, codebeamer: Codebeamer, why: str) -> None:
        """Both have their rights back, and nothing is open."""
        for tracker in (self.tests, self.needs):
            assert self.server.permissions(tracker) == self.rights[tracker], why
            assert codebeamer.runs.list_open(self.server.url, tracker) == [], why


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    build = WorldBuilder()
    account = build.user("generator")
    project = build.project("Brake System", "BRK")
    exclusive = build.role(project, "Generator", trackers_admin=True)
    build.member(project, account, exclusive)
    writer = build.role(project, "Writer")
    rights = {exclusive: list(range(28)), writer: [0, 1, 2, 3, 4, 8, 20]}
    # What is written first has the lower number, so who recovers one tracker after
    # the other by number would undo in the wrong order.
    needs = build.tracker(project, "Requirements", "R", permissions=rights)
    tests = build.tracker(project, "Tests", "T", permissions=rights)
    with Emulator(world=build.build()) as server:
        made = Stage(server, tmp_path, TrackerId(tests), TrackerId(needs))
        with made.connect(made.store()) as codebeamer:
            made.apply(codebeamer, is_after=False)
        made.world = server.world()
        made.rights = {one: server.permissions(one) for one in (tests, needs)}
        yield made


def test_both_are_written_in_the_order_of_references(stage: Stage) -> None:
    with stage.connect(stage.store()) as codebeamer:
        stage.server.clear_calls()
        done = stage.apply(codebeamer)
        stage.check_free(codebeamer, "nothing happened")
        runs = codebeamer.runs.list_set(stage.server.url, done.run_id)
    assert (done.created, done.updated, done.pruned) == (2, 2, 1)
    assert {run.state for run in runs} == {RunState.DONE}
    # One for each tracker, and one for what was trashed when all was proven.
    assert [run.tracker_id for run in runs] == [stage.needs, stage.tests, stage.needs]
    assert [line[1:] for line in stage.outline()] == [
        ("Test", "T", ["New"]),
        ("Newest", "U", ["New"]),
        ("Old", "N/old", []),
        ("New", "N/new", []),
    ]
    writes = [
        (call["method"], call["operation"])
        for call in stage.server.calls()
        if call["operation"] in ("createTrackerItem", "deleteTrackerItem")
    ]
    assert writes[-1][0] == "DELETE"


def test_a_refusal_in_the_second_undoes_the_first(stage: Stage) -> None:
    before = stage.outline()
    fault = {"kind": "status", "status": 400, "operation": "createTrackerItem"}
    stage.server.add_fault({**fault, "nth": 2})
    with stage.connect(stage.store()) as codebeamer:
        with pytest.raises(BadRequestError) as caught:
            stage.apply(codebeamer)
        stage.check_free(codebeamer, "the second was refused")
    assert len([n for n in caught.value.__notes__ if "rolled back" in n]) == 2
    assert stage.outline() == before


def test_a_lost_lock_stops_both(stage: Stage) -> None:
    before = stage.outline()
    with stage.connect(stage.store()) as codebeamer:
        documents = load_documents(stage.documents())
        locks = codebeamer.engine.acquire_all(
            [stage.needs, stage.tests], owner=Owner(OWNER)
        )
        epoch = next(lock.epoch for lock in locks if lock.tracker_id == stage.tests)
        codebeamer.engine.break_lock(
            stage.tests, expect_epoch=epoch, by="bond", reason="mine", at_once=True
        )
        with pytest.raises(LockLostError):
            codebeamer.runner.apply_all(documents, {}, locks, run_key=OWNER)
        codebeamer.engine.release(stage.needs, owner_key=OWNER)
        stage.check_free(codebeamer, "one was broken")
    assert stage.outline() == before


def test_a_set_is_rolled_back_afterwards(stage: Stage) -> None:
    before = stage.outline()
    with stage.connect(stage.store()) as codebeamer:
        done = stage.apply(codebeamer)
        runs = codebeamer.runs.list_set(stage.server.url, done.run_id)
        locks = codebeamer.engine.acquire_all(
            [stage.needs, stage.tests], owner=Owner(OWNER)
        )
        report = codebeamer.runner.roll_back_all(runs, locks)
    # There is no way back from the trash; all else is as it was.
    assert len(report.left) == 1
    assert "Gone" in report.left[0] or "N/gone" in report.left[0]
    assert stage.outline() == [line for line in before if line[1] != "Gone"]


def check_killed(stage: Stage, points: list[int], when: str) -> list[str]:
    """Kill it there and recover; return what became of both, as one word each."""
    before, said = stage.outline(), []
    for at in points:
        stage.renew()
        store = stage.store()
        died = stage.kill(store, at, when)
        why = f"killed {when} request {at}"
        assert died.returncode == -signal.SIGKILL, (why, died.stderr)
        with stage.connect(store, ahead=timedelta(hours=2)) as codebeamer:
            found = codebeamer.recovery.recover()
            assert [one.action for one in found] == ["recovered"] * 2, why
            left = [
                line for one in found if one.report for line in one.report.not_undone
            ]
            stage.check_free(codebeamer, why)
        if left:
            # Only what had gone to the trash already, after all was proven.
            assert len(left) == 1, why
            assert stage.outline() == [one for one in before if one[1] != "Gone"], why
            said.append("but for the trash")
        else:
            assert stage.outline() == before, why
            said.append("as before")
    return said


def test_what_was_written_last_is_undone_first(stage: Stage) -> None:
    store = stage.store()
    last = count_requests(stage)
    stage.renew()
    assert stage.kill(store, last - 2, "after").returncode == -signal.SIGKILL
    with stage.connect(store, ahead=timedelta(hours=2)) as codebeamer:
        found = codebeamer.recovery.recover()
    assert [one.tracker_id for one in found] == [stage.tests, stage.needs]


def count_requests(stage: Stage) -> int:
    stage.renew()
    done = stage.kill(stage.store(), 0, "never")
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_killed_at_some_requests_both_are_as_before(stage: Stage) -> None:
    last = count_requests(stage)
    stage.renew()
    # The first is written and proven, the second half written.
    said = check_killed(stage, [last // 2, last - 4], "after")
    assert said == ["as before"] * 2


@pytest.mark.nightly
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_request_both_are_as_before(stage: Stage, when: str) -> None:
    last = count_requests(stage)
    stage.renew()
    said = check_killed(stage, list(range(1, last + 1)), when)
    assert len(said) == last > 12
    # The trash has no way back; it comes last, when everything else is proven.
    assert said.index("but for the trash") >= last - 2


def test_killed_after_it_was_done_both_are_complete(stage: Stage) -> None:
    store = stage.store()
    assert stage.kill(store, 0, "never").returncode == 0
    after = stage.outline()
    with stage.connect(store, ahead=timedelta(hours=2)) as codebeamer:
        assert len(codebeamer.recovery.recover()) == 2
        stage.check_free(codebeamer, "killed before it released")
    assert stage.outline() == after
