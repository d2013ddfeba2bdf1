"""A server, a store and engines of our own for each test of locks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer.client import Client
from airflow_codebeamer.clock import Clock, ManualClock, SystemClock
from airflow_codebeamer.database import Database
from airflow_codebeamer.emulator import Emulator, WorldBuilder
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.journal import Journal
from airflow_codebeamer.locking import LockEngine, LockStore, Owner, Recovery
from airflow_codebeamer.settings import LockSettings, ServerSettings, StoreSettings

READ = [0, 2, 8, 10, 25]
WRITE = [0, 1, 2, 3, 4, 6, 7, 8, 10, 11]
EXCLUSIVE = "Generator"


@dataclass(frozen=True)
class Place:
    """What a world builder made, by name."""

    world: dict[str, Any]
    tracker: TrackerId
    project: int
    roles: dict[str, int]
    users: dict[str, int]
    trackers: tuple[TrackerId, ...] = ()


def build_world(
    *,
    writing: int = 2,
    reading: int = 1,
    generator_admin: bool = True,
    project_admin: bool = False,
    others: tuple[str, ...] = (),
    generator_rights: tuple[int, ...] = (*WRITE, 5, 9, 21, 22),
    trackers: int = 1,
    notices: bool = False,
    items: int = 0,
    nested: bool = False,
    **tracker: Any,
) -> Place:
    """Make a project with writing and reading roles and the account of a generator."""
    build = WorldBuilder()
    users = {name: build.user(name) for name in ("alice", "bob", "generator")}
    users["root"] = build.user("root", system_admin=True)
    project = build.project("Brake System", "BRK")
    roles: dict[str, int] = {}
    permissions: dict[int, list[int]] = {}
    for number in range(1, writing + 1):
        role = build.role(project, f"Writer {number}")
        roles[f"Writer {number}"] = role
        permissions[role] = [*WRITE, 20 + number % 4]
    for number in range(1, reading + 1):
        role = build.role(project, f"Reader {number}")
        roles[f"Reader {number}"] = role
        permissions[role] = READ
    if project_admin:
        role = build.role(project, "Project Admin", project_admin=True)
        roles["Project Admin"] = role
        permissions[role] = list(range(28))
    roles[EXCLUSIVE] = build.role(project, EXCLUSIVE, trackers_admin=generator_admin)
    permissions[roles[EXCLUSIVE]] = list(generator_rights)
    if writing:
        build.member(project, users["alice"], roles["Writer 1"])
    build.member(project, users["generator"], roles[EXCLUSIVE])
    for name in others:
        build.member(project, users[name], roles[EXCLUSIVE])
    numbers = []
    for nth in range(1, trackers + 1):
        name, key = (
            ("System Requirements", "SYSREQ") if nth == 1 else (f"T {nth}", f"T{nth}")
        )
        number = build.tracker(project, name, key, permissions=permissions, **tracker)
        above = build.item(number, "An item")
        for nth_item in range(1, items + 1):
            made = build.item(
                number,
                f"Item {nth_item}",
                parent=above if nested and nth_item > 1 else None,
            )
            above = made
        numbers.append(TrackerId(number))
    if notices:
        rights = {roles[EXCLUSIVE]: [*WRITE, 12, 13, 14]}
        build.tracker(project, "Lock notices", "NOTE", permissions=rights, kind="Task")
    return Place(build.build(), numbers[0], project, roles, users, tuple(numbers))


@dataclass
class Bench:
    """One server, one store, and as many engines as a test wants processes."""

    server: Emulator
    place: Place
    database: Database
    clock: Clock
    clients: list[Client] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    escrow: list[str] = field(default_factory=list)

    @property
    def tracker(self) -> TrackerId:
        return self.place.tracker

    def permissions(self) -> str:
        return self.server.permissions(self.tracker)

    def client(self, login: str = "generator", **settings: Any) -> Client:
        given = ServerSettings(
            url=self.server.url,
            login=login,
            password=login,
            requests_per_second=None,
            requests_per_minute=None,
            **settings,
        )
        client = Client(given, clock=self.clock)
        self.clients.append(client)
        return client

    def engine(
        self,
        *,
        login: str = "generator",
        settings: LockSettings | None = None,
        database: Any = None,
        client: Any = None,
        clock: Any = None,
        **more: Any,
    ) -> LockEngine:
        store = database or self.database
        return LockEngine(
            LockStore(store),
            Journal(store),
            client or self.client(login),
            settings or LockSettings(),
            clock=clock or self.clock,
            exclusive_role=EXCLUSIVE,
            say=self.said.append,
            **{"escrow": self.escrow.append, **more},
        )

    def recovery(self, **more: Any) -> Recovery:
        return Recovery(self.engine(**more))

    def operations(self, *names: str) -> list[str]:
        calls = [call["operation"] for call in self.server.calls()]
        return [name for name in calls if not names or name in names]

    def grant(self, role: str, permissions: list[int], *, user: str = "root") -> None:
        """Set a role's permissions as an administrator would."""
        path = f"/v3/trackers/{self.tracker}/roles/{self.place.roles[role]}/permissions"
        body = {"permissions": [{"id": number} for number in permissions]}
        assert self.server.act(user, "PUT", path, body) == 200

    def rights(self, role: str) -> list[int]:
        client = self.client()
        for entry in client.trackers.list_permissions(self.tracker):
            if entry.role.name == role:
                return sorted(entry.ids)
        return []

    def pass_time(self, **span: float) -> None:
        assert isinstance(self.clock, ManualClock)
        self.clock.advance(timedelta(**span).total_seconds())

    def close(self) -> None:
        for client in self.clients:
            client.close()


@pytest.fixture
def make_bench(tmp_path: Path, clock: ManualClock) -> Iterator[Callable[..., Bench]]:
    """Return a maker of benches on SQLite whose time stands still."""
    made: list[Bench] = []

    def make(**world: Any) -> Bench:
        place = build_world(**world)
        server = Emulator(world=place.world).__enter__()
        database = Database(
            StoreSettings(url=f"sqlite:///{tmp_path / f'store{len(made)}.db'}"),
            clock=clock,
        )
        bench = Bench(server, place, database, clock)
        made.append(bench)
        return bench

    yield make
    for bench in made:
        bench.close()
        bench.database.close()
        bench.server.__exit__(None, None, None)


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    """Return a server with two writing roles, a reader, and a store."""
    return make_bench()


@pytest.fixture
def stored(bench: Bench, database: Database) -> Bench:
    """Return the bench with a store of each dialect in turn, and the store's own time.

    Name it before what takes a lock: it is the same bench, of another store.
    """
    bench.database.close()
    bench.database, bench.clock = database, SystemClock()
    return bench


@pytest.fixture
def owner() -> Owner:
    """Return somebody who locks."""
    return Owner("dag/run 1", run="run 1", host="here", pid=1)


@pytest.fixture
def other() -> Owner:
    """Return somebody else who locks."""
    return Owner("dag/run 2", run="run 2", host="there", pid=2)
