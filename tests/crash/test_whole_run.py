"""A whole run, and every single write of it going wrong in turn.

A run is what a DAG does: take the lock, write a document with something of
everything, give the lock back. The engines are wired as in production, on a
real server and a real store; only the clock is ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from airflow_codebeamer.clock import ManualClock
from airflow_codebeamer.database import journal_table, run_table
from airflow_codebeamer.emulator import Emulator, WorldBuilder
from airflow_codebeamer.errors import BadRequestError, GeneratorFailedError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.journal import RunState
from airflow_codebeamer.locking import LockState, Owner
from airflow_codebeamer.settings import ServerSettings, Settings, StoreSettings
from airflow_codebeamer.wiring import Codebeamer, connect

OWNER = "dag/run 1"
CREATE = "createTrackerItem"
Items = list[dict[str, Any]]

BEFORE: Items = [
    {"key": "P", "name": "Pump", "fields": {"Unit": "bar"}},
    {"key": "P/1", "name": "Pressure", "parent": "P", "fields": {"Unit": "bar"}},
    {"key": "Q", "name": "Valve"},
    {"key": "M", "name": "Wanders"},
]
#: Creates below old and new items, an update, a move, and another order.
AFTER: Items = [
    {"key": "Q", "name": "Valve"},
    {"key": "Q/1", "name": "Opening", "parent": "Q", "fields": {"Unit": "%"}},
    {"key": "P", "name": "Pump", "fields": {"Unit": "V"}},
    {"key": "M", "name": "Wanders", "parent": "P"},
    {"key": "P/1", "name": "Pressure", "parent": "P", "fields": {"Unit": "bar"}},
    {"key": "N", "name": "New"},
    {"key": "N/1", "name": "Newer", "parent": "N", "fields": {"Unit": "A"}},
]


def document(items: Items) -> Callable[[], Iterator[dict[str, Any]]]:
    """Return a generator of these items."""

    def generate() -> Iterator[dict[str, Any]]:
        yield from items

    return generate


@dataclass
class Stage:
    """A server whose tracker is filled already, and a fresh store for each run."""

    server: Emulator
    folder: Path
    tracker: TrackerId | None = None
    world: Any = None
    rights: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    opened: int = 0

    def fill(self) -> None:
        """Make the world that each run begins with."""
        build = WorldBuilder()
        account, person = build.user("generator"), build.user("person")
        project = build.project("Brake System", "BRK")
        exclusive = build.role(project, "Generator", trackers_admin=True)
        build.member(project, account, exclusive)
        permissions = {exclusive: list(range(28))}
        for number in range(2):
            role = build.role(project, f"Writer {number}")
            build.member(project, person, role)
            permissions[role] = [0, 1, 2, 3, 4, 8, 20 + number]
        number = build.tracker(project, "T", "T", permissions=permissions)
        build.item(number, "Somebody else's")
        self.tracker = TrackerId(number)
        self.server.load_world(build.build())
        with self.connect() as codebeamer:
            self.run(codebeamer, document(BEFORE))
        self.world = self.server.world()
        self.rights = self.server.permissions(self.tracker)

    def renew(self) -> None:
        """Put the world back, and forget calls and faults."""
        self.server.clear_faults()
        self.server.load_world(self.world)
        self.server.clear_calls()

    def connect(self) -> Codebeamer:
        """Return engines on an empty store."""
        self.opened += 1
        store = f"sqlite:///{self.folder / f'{self.opened}.db'}"
        settings = Settings(
            server=ServerSettings(
                url=self.server.url,
                login="generator",
                password=SecretStr("generator"),
                requests_per_second=None,
                requests_per_minute=None,
                exclusive_role="Generator",
            ),
            store=StoreSettings(url=SecretStr(store)),
        )
        return connect(settings, clock=ManualClock())

    def run(self, codebeamer: Codebeamer, generator: Callable[..., Any]) -> None:
        """Lock, write, and give back whatever came of it."""
        lock = codebeamer.engine.acquire(self.tracker, owner=Owner(OWNER))
        try:
            codebeamer.runner.apply(generator, {}, self.tracker, lock, run_key=OWNER)
        finally:
            report = codebeamer.engine.release(self.tracker, owner_key=OWNER)
        assert report.released
        assert report.drift == ()
        assert report.not_undone == ()

    def outline(self) -> list[tuple[str, str, str, Any]]:
        """Return each item's name, key and unit below its parent, in order."""
        items = self.server.items(self.tracker)
        names = {item["id"]: item["name"] for item in items}
        return [
            (
                names[item["parent"]["id"]] if item.get("parent") else "",
                item["name"],
                value_of(item, "External ID"),
                value_of(item, "Unit"),
            )
            for item in items
        ]

    def check_settled(self, codebeamer: Codebeamer, *, why: str) -> None:
        """Permissions are byte-equal, the tracker is free, no run is open."""
        assert self.server.permissions(self.tracker) == self.rights, why
        lock = codebeamer.status.find(self.server.url, self.tracker)
        assert lock is not None, why
        assert lock.state is LockState.FREE, why
        assert codebeamer.runs.list_open(self.server.url, self.tracker) == [], why

    def runs(self, codebeamer: Codebeamer) -> list[str]:
        """Return the states of every run in the store."""
        with codebeamer.database.read() as connection:
            return list(connection.scalars(select(run_table.c.state)))

    def open_intents(self, codebeamer: Codebeamer) -> list[Any]:
        """Return what is written down as about to happen, of locks and runs."""
        statement = select(journal_table).where(journal_table.c.finished_at.is_(None))
        with codebeamer.database.read() as connection:
            return list(connection.execute(statement).all())


def value_of(item: dict[str, Any], name: str) -> Any:
    """Return what a custom field of an item has, None if it has nothing."""
    for entry in item.get("customFields", ()):
        if entry["name"] == name:
            return entry.get("value")
    return None


WANTED = [
    ("", "Somebody else's", None, None),
    ("", "Valve", "Q", None),
    ("Valve", "Opening", "Q/1", "%"),
    ("", "Pump", "P", "V"),
    ("Pump", "Wanders", "M", None),
    ("Pump", "Pressure", "P/1", "bar"),
    ("", "New", "N", None),
    ("New", "Newer", "N/1", "A"),
]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Emulator(world="empty") as server:
        made = Stage(server, tmp_path)
        made.fill()
        yield made


def writes_of(stage: Stage) -> list[str]:
    """Return the operations that a run which nothing disturbs writes with."""
    stage.renew()
    with stage.connect() as codebeamer:
        stage.run(codebeamer, document(AFTER))
        stage.check_settled(codebeamer, why="nothing happened")
    assert stage.outline() == WANTED
    return [
        call["operation"]
        for call in stage.server.calls()
        if call["method"] != "GET" and not call["path"].endswith("/query")
    ]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop_answer"},
        {"kind": "reset"},
        {"kind": "status", "status": 500, "phase": "after"},
    ],
    ids=["answer dropped", "reset", "status 500 after the effect"],
)
def test_the_answer_to_any_write_of_a_whole_run_is_lost(stage, fault):
    writes = writes_of(stage)
    # Two roles reduced and restored, three items, a patch, a move, an order.
    assert len(writes) == 10
    assert len(set(writes)) == 5
    for nth, name in enumerate(writes, 1):
        stage.renew()
        stage.server.add_fault({**fault, "operation": "write", "nth": nth})
        why = f"write {nth} ({name}) was not answered"
        with stage.connect() as codebeamer:
            stage.run(codebeamer, document(AFTER))
            assert stage.server.faults()[0]["met"] == 1, why
            assert stage.outline() == WANTED, why
            stage.check_settled(codebeamer, why=why)
            assert stage.runs(codebeamer) == [RunState.DONE], why
            assert stage.open_intents(codebeamer) == [], why


def test_a_refused_item_leaves_nothing_behind(stage):
    count = writes_of(stage).count(CREATE)
    stage.renew()
    before = stage.outline()
    for nth in range(1, count + 1):
        stage.renew()
        fault = {"kind": "status", "status": 400, "operation": CREATE, "nth": nth}
        stage.server.add_fault(fault)
        with stage.connect() as codebeamer:
            with pytest.raises(BadRequestError):
                stage.run(codebeamer, document(AFTER))
            assert stage.outline() == before, nth
            stage.check_settled(codebeamer, why=f"item {nth} was refused")
            assert stage.runs(codebeamer) == [RunState.ROLLED_BACK]


@pytest.mark.parametrize("yielded", range(len(AFTER)))
def test_a_generator_that_raises_half_way_leaves_nothing_behind(stage, yielded):
    def generate() -> Iterator[dict[str, Any]]:
        yield from AFTER[:yielded]
        raise ValueError("no more")

    stage.renew()
    before = json.dumps(stage.server.items(stage.tracker))
    with stage.connect() as codebeamer:
        with pytest.raises(GeneratorFailedError):
            stage.run(codebeamer, generate)
        stage.check_settled(codebeamer, why="the generator raised")
    assert json.dumps(stage.server.items(stage.tracker)) == before
