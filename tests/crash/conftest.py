"""A ring of crashes: every operation of a lock, and a process that dies there.

Nothing is patched. A `Fuse` sits between the engine and the real store and the
real client; it counts what passes and ends the process (a `Crash` is no error
that anything may catch) or loses an answer at a chosen point. Time is ours, so
a request may land later than everything else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer.client import Client
from airflow_codebeamer.clock import ManualClock
from airflow_codebeamer.database import Database
from airflow_codebeamer.emulator import Emulator, WorldBuilder
from airflow_codebeamer.errors import (
    CodebeamerError,
    DatabaseError,
    OutcomeUnknownError,
)
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.journal import Journal
from airflow_codebeamer.locking import (
    LockEngine,
    LockState,
    LockStatus,
    LockStore,
    Owner,
    Recovery,
)
from airflow_codebeamer.settings import LockSettings, ServerSettings, StoreSettings

READ = [0, 2, 8, 10, 25]
WRITE = [0, 1, 2, 3, 4, 7, 8, 10, 11]


class Crash(BaseException):
    """The process is gone; nothing may catch this."""


class LateClock(ManualClock):
    """A clock that does things when it passes a moment."""

    def __init__(self) -> None:
        super().__init__(datetime(2026, 1, 1, tzinfo=UTC))
        self._due: list[tuple[float, Callable[[], None]]] = []

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Act once that many seconds have passed."""
        self._due.append((self.monotonic() + seconds, act))

    def advance(self, seconds: float) -> None:
        """Move forward, and do what is due on the way."""
        super().advance(seconds)
        due = [act for when, act in self._due if when <= self.monotonic()]
        self._due = [entry for entry in self._due if entry[0] > self.monotonic()]
        for act in due:
            act()

    def forget(self) -> None:
        """Do nothing of what is still due."""
        self._due = []


@dataclass
class Fuse:
    """Counts points and blows at one of them, in one way.

    `crash`: the process ends there. `pause`: it stops, the world goes on without
    it (`meanwhile`), and it wakes. `lost commit`: a commit happened, and its
    answer is an error. `late`: a request is taken by the network and lands so
    many seconds later. `late crash`: the same, and the process ends.
    `asleep`: it stops between its last check of a request and the sending, and wakes.
    """

    at: int | None = None
    kind: str = "crash"
    points: list[str] = field(default_factory=list)
    dead: bool = False
    blown: bool = False
    meanwhile: Callable[[], None] | None = None
    delay: float = 14

    def passes(self, name: str) -> bool:
        """Count a point; return whether it is the one."""
        if self.dead:
            raise Crash(name)
        is_it = len(self.points) == self.at
        self.points.append(name)
        if is_it:
            self.blown = True
        return is_it

    def point(self, name: str) -> None:
        """Count a point where only a crash or a pause can happen."""
        if self.passes(name) and self.kind not in ("lost commit", "asleep"):
            self.blow(name)

    def blow(self, name: str) -> None:
        """Do what the fuse is for, if it can happen here."""
        if self.kind == "crash":
            self.die(name)
        if self.kind in ("pause", "asleep"):
            assert self.meanwhile is not None
            self.meanwhile()
        if self.kind == "lost commit":
            raise DatabaseError("The answer to a commit was lost.")

    def die(self, name: str) -> None:
        """End the process."""
        self.dead = True
        raise Crash(name)


class FusedDatabase:
    """A store whose every commit is two points: before it and after it."""

    def __init__(self, database: Database, fuse: Fuse) -> None:
        self._database = database
        self._fuse = fuse
        self.now = database.now

    @contextmanager
    def begin(self) -> Iterator[Any]:
        self._fuse.point("before commit")
        with self._database.begin() as connection:
            yield connection
        if self._fuse.passes("after commit"):
            self._fuse.blow("after commit")

    @contextmanager
    def read(self) -> Iterator[Any]:
        if self._fuse.dead:
            raise Crash("read")
        with self._database.read() as connection:
            yield connection


class FusedPart:
    """A part of the client whose every request is two points."""

    def __init__(self, part: Any, fuse: Fuse, ring: Ring) -> None:
        self._part = part
        self._fuse = fuse
        self._ring = ring

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._part, name)
        if name == "set_role_permissions":
            return partial(self._put, call)

        def fused(*args: Any, **kwargs: Any) -> Any:
            self._fuse.point(f"before {name}")
            answer = call(*args, **kwargs)
            self._fuse.point(f"after {name}")
            return answer

        return fused

    def _put(
        self, call: Any, tracker: Any, role: Any, permissions: Any, *, before: Any
    ) -> Any:
        rights = list(permissions)

        def leaving() -> None:
            before()
            # Of a request that its guard keeps from leaving, nothing is asked.
            self._ring.check_intent(role, rights)

        kind = self._fuse.kind
        if self._fuse.passes("before PUT"):
            if kind.startswith("late"):
                leaving()
                self._ring.clock.after(
                    self._fuse.delay, lambda: call(tracker, role, rights)
                )
            if kind == "late":
                raise OutcomeUnknownError("No answer.", address="x")
            if kind in ("crash", "late crash"):
                self._fuse.die("before PUT")
            # The request waits for its turn, as a throttled client's does.
            if kind == "pause":
                self._fuse.blow("before PUT")
            if kind == "asleep":
                leaving()
                self._fuse.blow("before PUT")
                return call(tracker, role, rights)
        answer = call(tracker, role, rights, before=leaving)
        self._ring.check_no_gain()
        self._fuse.point("after PUT")
        return answer


class FusedClient:
    """A client behind a fuse."""

    def __init__(self, client: Client, fuse: Fuse, ring: Ring) -> None:
        self._client = client
        self.settings = client.settings
        self.trackers = FusedPart(client.trackers, fuse, ring)
        self.projects = FusedPart(client.projects, fuse, ring)
        self.users = FusedPart(client.users, fuse, ring)

    @property
    def requests_made(self) -> int:
        return self._client.requests_made


class Ring:
    """One small world and one store; each schedule begins with both restored."""

    def __init__(self, server: Emulator, database: Database, clock: LateClock) -> None:
        self.server = server
        self.database = database
        self.clock = clock
        self.owner = Owner("dag/run 1")
        self.said: list[str] = []
        self.granted: dict[str, set[int]] = {}
        self._client = Client(
            ServerSettings(
                url=server.url,
                login="generator",
                password="generator",
                requests_per_second=None,
                requests_per_minute=None,
            ),
            clock=clock,
        )

    def load(self, *, writing: int = 2) -> None:
        """Load a world with so many writing roles, and warm the membership up."""
        build = WorldBuilder()
        account = build.user("generator")
        build.user("root", system_admin=True)
        project = build.project("Brake System", "BRK")
        generator = build.role(project, "Generator", trackers_admin=True)
        build.member(project, account, generator)
        permissions = {generator: list(range(28))}
        self.roles = []
        for number in range(writing):
            role = build.role(project, f"Writer {number}")
            permissions[role] = [*WRITE, 20 + number]
            self.roles.append(role)
        permissions[build.role(project, "Reader")] = READ
        self.tracker = TrackerId(
            build.tracker(project, "T", "T", permissions=permissions)
        )
        self.world = build.build()
        self.renew()
        self.before = self.server.permissions(self.tracker)
        self.originals = {
            str(role): set(rights) for role, rights in permissions.items()
        }
        self.engine(Fuse()).preflight(self.tracker).require()

    def renew(self) -> None:
        """Put the world back, forget faults and what is still under way."""
        self.clock.forget()
        self.server.clear_faults()
        self.server.load_world(self.world)
        self.granted = {}
        # The world of the round before is gone, and with it what was known of it.
        engine = self.engine(Fuse())
        engine.accept_permissions(self.tracker, by="test", reason="a new world")

    def engine(self, fuse: Fuse) -> LockEngine:
        """Return a process's engine, with a fuse."""
        database: Any = FusedDatabase(self.database, fuse)
        client: Any = FusedClient(self._client, fuse, self)
        return LockEngine(
            LockStore(database),
            Journal(database),
            client,
            LockSettings(),
            clock=self.clock,
            exclusive_role="Generator",
            say=self.said.append,
        )

    def lock_and_release(self, fuse: Fuse) -> None:
        """Do what a run does; a crash ends it."""
        engine = self.engine(fuse)
        engine.acquire(self.tracker, owner=self.owner)
        self.check_exclusive()
        engine.release(self.tracker, owner_key=self.owner.key)

    def disturbed(
        self,
        at: int,
        kind: str = "crash",
        act: Callable[[Fuse], None] | None = None,
        meanwhile: Callable[[], None] | None = None,
        delay: float = 14,
    ) -> Fuse:
        """Do an act (a lock and its release) with a fuse; return the fuse."""
        fuse = Fuse(at=at, kind=kind, meanwhile=meanwhile, delay=delay)
        try:
            (act or self.lock_and_release)(fuse)
        except Crash:
            assert "crash" in kind
        except CodebeamerError:
            # A process that lives may be told of trouble, if trouble there was.
            assert fuse.blown
            assert kind != "crash"
        self.check_no_gain()
        return fuse

    def recover(self, fuse: Fuse | None = None) -> None:
        """Let the lease run out, and another process recover."""
        self.clock.advance(7200)
        Recovery(self.engine(fuse or Fuse())).recover()

    def points(self, act: Callable[[Fuse], None]) -> list[str]:
        """Return the points of an act that nothing disturbs."""
        fuse = Fuse()
        act(fuse)
        return fuse.points

    def edit(self, role: int, rights: list[int]) -> None:
        """Set a role's rights as an administrator would."""
        path = f"/v3/trackers/{self.tracker}/roles/{role}/permissions"
        body = {"permissions": [{"id": number} for number in rights]}
        assert self.server.act("root", "PUT", path, body) == 200

    def rights(self) -> dict[str, set[int]]:
        """Return what each role has on the server now."""
        (tracker,) = self.server.world()["trackers"]
        return {role: set(ids) for role, ids in tracker["permissions"].items()}

    def check_exclusive(self) -> None:
        """Nobody but the exclusive role writes."""
        for role in self.roles:
            assert self.rights().get(str(role), set()) <= {*READ, 21}

    def check_no_gain(self) -> None:
        """No role ever has what neither it had nor somebody granted."""
        for role, rights in self.rights().items():
            allowed = self.originals.get(role, set()) | self.granted.get(role, set())
            assert rights <= allowed, role

    def check_intent(self, role: int, rights: list[Any]) -> None:
        """Nothing is sent that is not written down as open, value and all."""
        lock = LockStatus(LockStore(self.database)).find(self.server.url, self.tracker)
        assert lock is not None
        assert lock.lineage is not None
        entries = Journal(self.database).list_entries(lock.lineage, open_only=True)
        wanted = sorted(right.id for right in rights)
        found = [
            sorted(right["id"] for right in entry.intent)
            for entry in entries
            if entry.key == str(role) and entry.epoch == lock.epoch
        ]
        assert wanted in found, "a request left before its intent was written"

    def other_holds(self) -> None:
        """Time passes, and another run recovers the tracker and holds it."""
        self.clock.advance(7200)
        lock = self.engine(Fuse()).acquire(self.tracker, owner=Owner("dag/run 2"))
        assert lock.state is LockState.HELD

    def other_releases(self) -> None:
        """The other run ends."""
        report = self.engine(Fuse()).release(self.tracker, owner_key="dag/run 2")
        assert report.released

    def release(self) -> None:
        """Release as the same owner in a new process, and nothing else."""
        self.engine(Fuse()).release(self.tracker, owner_key=self.owner.key)

    def check_free(self, *, why: str) -> None:
        """The record says free."""
        lock = LockStatus(LockStore(self.database)).find(self.server.url, self.tracker)
        assert lock is None or lock.state is LockState.FREE, why

    def check_free_and_equal(self, *, why: str) -> None:
        """The tracker is free and its permissions are byte-equal."""
        self.check_free(why=why)
        now = self.server.permissions(self.tracker)
        assert json.loads(now) == json.loads(self.before), why
        assert now == self.before, why
        self.check_no_gain()

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[Ring]:
    """Yield a ring of crashes on an emulator and a SQLite store."""
    clock = LateClock()
    database = Database(
        StoreSettings(url=f"sqlite:///{tmp_path / 'store.db'}"), clock=clock
    )
    with Emulator(world="empty") as server:
        made = Ring(server, database, clock)
        yield made
        made.close()
    database.close()
