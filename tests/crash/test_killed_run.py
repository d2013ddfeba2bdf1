"""A run killed by SIGKILL at any of its requests, and a second run that goes on.

The process is real and so is its death. The second run is another process's
engine on the same store: the same owner, the lock adopted.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from airflow_codebeamer.emulator import Emulator, WorldBuilder
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.journal import RunState
from airflow_codebeamer.locking import LockState, Owner
from airflow_codebeamer.settings import (
    LockSettings,
    ServerSettings,
    Settings,
    StoreSettings,
)
from airflow_codebeamer.skeleton import load_document
from airflow_codebeamer.wiring import connect

OWNER = "dag/run"
PROGRAM = Path(__file__).parent / "programs" / "apply_document.py"

BEFORE = [
    {"key": "P", "name": "Pump", "fields": {"Unit": "bar"}},
    {"key": "P/1", "name": "Pressure", "parent": "P"},
    {"key": "Q", "name": "Valve"},
    {"key": "M", "name": "Wanders"},
]
#: Creates below old and new items, circles, a status, updates, a move, an order.
AFTER = [
    {"key": "Q", "name": "Valve", "fields": {"Subject": {"ref": "N/1"}}},
    {"key": "Q/1", "name": "Opening", "parent": "Q", "fields": {"Unit": "%"}},
    {"key": "P", "name": "Pump", "fields": {"Unit": "V", "Status": "Approved"}},
    {"key": "M", "name": "Wanders", "parent": "P"},
    {"key": "P/1", "name": "Pressure", "parent": "P"},
    {"key": "N", "name": "New"},
    {
        "key": "N/1",
        "name": "Newer",
        "parent": "N",
        "fields": {"Subject": {"ref": "Q/1"}, "Status": "Approved"},
    },
]
WANTED = [
    ("", "Somebody else's", "New", []),
    ("", "Valve", "New", ["Newer"]),
    ("Valve", "Opening", "New", []),
    ("", "Pump", "Approved", []),
    ("Pump", "Wanders", "New", []),
    ("Pump", "Pressure", "New", []),
    ("", "New", "New", []),
    ("New", "Newer", "Approved", ["Opening"]),
]


def settings(url: str, store: str) -> Settings:
    """Return the settings of the second process."""
    return Settings(
        server=ServerSettings(
            url=url,
            login="generator",
            password=SecretStr("generator"),
            exclusive_role="Generator",
            requests_per_second=None,
            requests_per_minute=None,
        ),
        store=StoreSettings(url=SecretStr(store)),
        lock=LockSettings(
            lock_delay=timedelta(seconds=0.05), poll=timedelta(seconds=0.05)
        ),
    )


@dataclass
class Stage:
    """A server with a tracker that is filled already; a fresh store for each try."""

    server: Emulator
    folder: Path
    tracker: TrackerId
    world: Any = None
    rights: str = ""
    opened: int = 0

    def store(self) -> str:
        self.opened += 1
        return f"sqlite:///{self.folder / f'{self.opened}.db'}"

    def renew(self) -> None:
        self.server.load_world(self.world)
        self.server.clear_calls()

    def apply(self, store: str, items: list[dict[str, Any]]) -> Any:
        """Lock, apply and release, as a second try of the same owner does."""
        document = load_document(
            {"owner": "test", "target": {"tracker": self.tracker}, "items": items}
        )
        with connect(settings(self.server.url, store)) as codebeamer:
            lock = codebeamer.engine.acquire(self.tracker, owner=Owner(OWNER))
            summary = codebeamer.runner.apply(
                document, {}, self.tracker, lock, run_key=OWNER
            )
            codebeamer.engine.release(self.tracker, owner_key=OWNER)
            found = codebeamer.status.find(self.server.url, self.tracker)
            assert found is not None
            assert found.state is LockState.FREE
            assert codebeamer.runs.list_open(self.server.url, self.tracker) == []
            if summary.run_id:
                run = codebeamer.runs.find_run(summary.run_id)
                assert run is not None
                assert run.state is RunState.DONE
                assert codebeamer.journal.list_entries(run.run_id, open_only=True) == []
        return summary

    def kill(self, store: str, at: int, when: str) -> subprocess.CompletedProcess[str]:
        """Run the program until it is killed at that request."""
        path = self.folder / "document.json"
        document = {"owner": "test", "target": {"tracker": self.tracker}}
        path.write_text(json.dumps({**document, "items": AFTER}))
        return subprocess.run(
            [
                sys.executable,
                str(PROGRAM),
                self.server.url,
                store,
                str(self.tracker),
                str(path),
                str(at),
                when,
            ],
            capture_output=True,
            text=True,
            check=False,
        )

    def outline(self) -> list[tuple[str, str, str, list[str]]]:
        items = self.server.items(self.tracker)
        names = {item["id"]: item["name"] for item in items}
        return [
            (
                names[item["parent"]["id"]] if item.get("parent") else "",
                item["name"],
                item["status"]["name"],
                [entry["name"] for entry in item["subjects"]],
            )
            for item in items
        ]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    build = WorldBuilder()
    account = build.user("generator")
    project = build.project("Brake System", "BRK")
    exclusive = build.role(project, "Generator", trackers_admin=True)
    build.member(project, account, exclusive)
    writer = build.role(project, "Writer")
    rights = {exclusive: list(range(28)), writer: [0, 1, 2, 3, 4, 8, 20]}
    tracker = build.tracker(project, "T", "T", permissions=rights)
    build.item(tracker, "Somebody else's")
    with Emulator(world=build.build()) as server:
        made = Stage(server, tmp_path, TrackerId(tracker))
        made.apply(made.store(), BEFORE)
        made.world = server.world()
        made.rights = server.permissions(tracker)
        yield made


def check_killed_anywhere(stage: Stage, points: list[int], when: str) -> None:
    for at in points:
        stage.renew()
        store = stage.store()
        died = stage.kill(store, at, when)
        why = f"killed {when} request {at}"
        assert died.returncode == -signal.SIGKILL, (why, died.stderr)
        stage.apply(store, AFTER)
        assert stage.outline() == WANTED, why
        assert stage.server.permissions(stage.tracker) == stage.rights, why


def count_requests(stage: Stage) -> int:
    """Return how many requests an application sends that nobody kills."""
    stage.renew()
    done = stage.kill(stage.store(), 0, "never")
    assert done.returncode == 0, done.stderr
    assert stage.outline() == WANTED
    return int(done.stdout)


def test_a_run_killed_at_some_requests_is_gone_on_with(stage):
    last = count_requests(stage)
    # After a create, between the waves of updates, and before it is verified.
    check_killed_anywhere(stage, [5, last - 4], "after")
    check_killed_anywhere(stage, [last], "before")


@pytest.mark.nightly
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_killed_at_any_request_is_gone_on_with(stage, when):
    last = count_requests(stage)
    assert last > 9
    check_killed_anywhere(stage, list(range(1, last + 1)), when)


def test_every_answer_dropped_in_turn(stage):
    stage.renew()
    stage.apply(stage.store(), AFTER)
    writes = [
        call["operation"]
        for call in stage.server.calls()
        if call["method"] != "GET" and not call["path"].endswith("/query")
    ]
    assert len(writes) >= 9
    for nth, name in enumerate(writes, 1):
        stage.renew()
        fault = {"kind": "drop_answer", "operation": "write", "nth": nth}
        stage.server.add_fault(fault)
        stage.apply(stage.store(), AFTER)
        why = f"the answer to write {nth} ({name}) was dropped"
        assert stage.outline() == WANTED, why
        assert stage.server.permissions(stage.tracker) == stage.rights, why
        stage.server.clear_faults()


def test_what_a_killed_run_has_written_is_undone_when_nobody_goes_on(stage):
    before = stage.outline()
    last = count_requests(stage)
    stage.renew()
    store = stage.store()
    assert stage.kill(store, last - 1, "after").returncode == -signal.SIGKILL
    assert stage.outline() != before
    with connect(settings(stage.server.url, store)) as codebeamer:
        codebeamer.engine.acquire(stage.tracker, owner=Owner(OWNER))
        report = codebeamer.engine.release(stage.tracker, owner_key=OWNER)
        assert report.not_undone == ()
    assert stage.outline() == before
    assert stage.server.permissions(stage.tracker) == stage.rights
