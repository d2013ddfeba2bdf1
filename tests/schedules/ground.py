"""Ground: a server in this process, a store and a time, put back in a moment.

Nothing of ours is replaced: the engine, its store and its client are the real ones.
Only what carries a request is other, and the emulator answers as it does over HTTP.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_codebeamer.client import Client
from airflow_codebeamer.client.transport import Transport
from airflow_codebeamer.emulator import READ_ONLY, WorldBuilder
from airflow_codebeamer.emulator.app import Application
from airflow_codebeamer.emulator.step import Answer, Asked
from airflow_codebeamer.emulator.world import Role, World
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.journal import Journal
from airflow_codebeamer.locking import LockEngine, LockStore
from airflow_codebeamer.settings import LockSettings, ServerSettings
from tests.schedules.clock import DueClock, StoreClock
from tests.schedules.process import FusedStore, InProcess, Process, broken
from tests.schedules.stores import PostgresStore, SqliteStore
from tests.schedules.truth import Truth

__all__ = ["EDITS", "BadError", "Ground", "Image"]

URL = "http://codebeamer.invalid/cb"
READ = (0, 2, 8, 10, 25)
WRITE = (0, 1, 2, 3, 4, 7, 8, 10, 11)
#: What an administrator may do; each changes one role.
EDITS = (
    "grant reading",
    "grant writing",
    "grant writing to the last",
    "revoke reading",
    "revoke writing",
    "another role",
    "role deleted",
    "new role",
)


class BadError(AssertionError):
    """Something happened that must never happen."""


@dataclass(frozen=True)
class Due:
    """A request under way: when it lands, and what its sender had seen."""

    at: float
    asked: Asked
    view: int


@dataclass(frozen=True)
class Image:
    """Everything outside of processes at one moment."""

    store: Any
    world: bytes
    seconds: float
    jumped: float
    due: tuple[Due, ...]


class Ground:
    """One tracker with so many writing roles, one reader and the exclusive role."""

    def __init__(self, place: Path, writing: int, *, postgres: str = "") -> None:
        self.clock = DueClock(self._passed)
        self.store_clock = StoreClock(self.clock)
        self.store: Any = (
            PostgresStore(postgres, self.store_clock)
            if postgres
            else SqliteStore(place / f"store{writing}.db", self.store_clock)
        )
        self._due: list[Due] = []
        #: Whether a request of this schedule was, or is, late.
        self.has_late = False
        #: Whether one was, or is, later than the lock delay covers.
        self.has_very_late = False
        self.epoch = 0
        self.process = Process()
        self._build(writing)
        settings = ServerSettings(
            url=URL,
            login="generator",
            password="generator",
            requests_per_second=None,
            requests_per_minute=None,
        )
        adapter = InProcess(self._carry)
        transport = Transport(settings, self.clock, adapter=adapter)
        self._client = Client(settings, transport=transport)
        # Once a day a preflight asks who else is in the role: not in what is counted.
        self.engine(self.process).preflight(self.tracker).require()
        self.start = self.image()

    def _build(self, writing: int) -> None:
        build = WorldBuilder()
        account = build.user("generator")
        build.user("root", system_admin=True)
        self.project = build.project("Brake System", "BRK")
        self.exempt = build.role(self.project, "Generator", trackers_admin=True)
        build.member(self.project, account, self.exempt)
        alice = build.user("alice")
        permissions: dict[int, tuple[int, ...]] = {self.exempt: tuple(range(28))}
        self.writers = []
        for number in range(writing):
            role = build.role(self.project, f"Writer {number}")
            permissions[role] = (*WRITE, 22 + number)
            self.writers.append(role)
        build.member(self.project, alice, self.writers[-1])
        self.reader = build.role(self.project, "Reader")
        permissions[self.reader] = READ
        self.tracker = TrackerId(
            build.tracker(self.project, "T", "T", permissions=permissions)
        )
        self._application = Application(World.load(build.build()))
        self._application.clock.stop()
        rights = {role: frozenset(ids) for role, ids in permissions.items()}
        self.truth = Truth.of(rights)

    def engine(
        self, process: Process, settings: LockSettings | None = None
    ) -> LockEngine:
        """Return the engine of a process, which from now on is the one that acts."""
        self.process = process
        database: Any = FusedStore(
            self.store.database, process, lambda: self._committed(process)
        )
        return LockEngine(
            LockStore(database),
            Journal(database),
            self._client,
            settings or LockSettings(),
            clock=self.clock,
            exclusive_role="Generator",
        )

    def image(self) -> Image:
        """Return everything as it is; nothing of it changes later."""
        self.check_epoch()
        return Image(
            self.store.image(),
            pickle.dumps((self._application.world, self.truth), 5),
            self.clock.seconds,
            self.store_clock.jumped,
            tuple(self._due),
        )

    def restore(self, image: Image) -> None:
        """Put everything back as it was."""
        self.store.restore(image.store)
        self._application.world, self.truth = pickle.loads(image.world)  # noqa: S301
        self._application.calls.clear()
        self.clock.seconds, self._due = image.seconds, list(image.due)
        self.has_late = self.has_very_late = bool(image.due)
        self.store_clock.jumped = image.jumped
        self.epoch = 0
        self.check_epoch()

    def close(self) -> None:
        """Close what was opened."""
        self._client.close()
        self.store.close()

    # What happens on the server

    def rights(self) -> dict[int, frozenset[int]]:
        """Return what each role has on the server now."""
        own = self._application.world.trackers[self.tracker].permissions or {}
        return {role: frozenset(ids) for role, ids in own.items()}

    def edit(self, kind: str) -> bool:
        """Edit as an administrator; return False if there is nothing to edit.

        Beside `EDITS`: `grant RIGHT to NUMBER` and `revoke RIGHT of NUMBER`, where the
        roles but the exclusive one are numbered from 0.
        """
        if kind[-1].isdigit():
            return self._edit_one(*kind.split())
        role = self.writers[-1 if kind.endswith("the last") else 0]
        if kind == "another role":
            role = self.reader
        if kind == "role deleted":
            return self._delete(role)
        if kind == "new role":
            return self._set(self._new_role(), frozenset(WRITE))
        change: dict[str, Callable[[frozenset[int]], frozenset[int]]] = {
            "grant reading": lambda has: has | {9},
            "revoke reading": lambda has: has - {8},
            "revoke writing": lambda has: has - {7},
        }
        more = change.get(kind, lambda has: has | {5})
        if role not in self._application.world.roles:
            return False
        return self._set(role, more(self.rights().get(role, frozenset())))

    def _edit_one(self, verb: str, right: str, _: str, number: str) -> bool:
        roles = [role for role in self.rights() if role != self.exempt]
        role = sorted(roles)[int(number) % len(roles)]
        has, one = self.rights()[role], frozenset({int(right)})
        return self._set(role, has | one if verb == "grant" else has - one)

    def write_item(self, user: str) -> bool:
        """Add an item as somebody; return whether the server lets him."""
        path = f"/v3/trackers/{self.tracker}/items"
        body = {"name": "An item"}
        request = {"user": user, "method": "POST", "path": path, "body": body}
        return self._application.act(request).status == 200

    def _set(self, role: int, after: frozenset[int]) -> bool:
        before = self.rights().get(role, frozenset())
        if before == after:
            return False
        path = f"/v3/trackers/{self.tracker}/roles/{role}/permissions"
        body = {"permissions": [{"id": number} for number in sorted(after)]}
        request = {"user": "root", "method": "PUT", "path": path, "body": body}
        if self._application.act(request).status != 200:
            raise BadError("the administrator could not edit")
        self.truth.edit(role, before, after)
        # Of a role that we may have reduced nobody can tell whether he took a right
        # away, or gave all the others back.
        lost = before - after - READ_ONLY
        if lost and self.store.is_unsettled(role):
            self.truth.revoke(role, lost if after - READ_ONLY else frozenset())
        if self.has_late:
            self.truth.unclear.add(role)
        return True

    def _delete(self, role: int) -> bool:
        world = self._application.world
        if world.roles.pop(role, None) is None:
            return False
        own = world.trackers[self.tracker].permissions or {}
        own.pop(role, None)
        self.truth.edit(role, frozenset(), None)
        return True

    def _new_role(self) -> int:
        world = self._application.world
        number = world.next_id("role", 11)
        world.roles[number] = Role(number, self.project, f"New {number}")
        return number

    # What our processes do

    def _committed(self, process: Process) -> None:
        """Note the roles that are about to be reduced without their last edit."""
        for role, number in self.truth.edited.items():
            if number > process.view and self.store.intents(role):
                self.truth.overwrite(role)

    def _carry(self, asked: Asked) -> Answer:
        process = self.process
        deed = process.begins(asked.method)
        if deed == "refused":
            raise broken()
        if asked.method == "PUT":
            self._check_leaving(asked)
        if deed.startswith("late"):
            seconds = float(deed.rpartition(" ")[2])
            due = Due(self.clock.seconds + seconds, asked, process.view)
            self._due.append(due)
            self.has_late = True
            self.has_very_late |= seconds > LockSettings().lock_delay.total_seconds()
            if "crash" in deed:
                process.die()
            raise broken()
        answer = self._do(asked, process.view)
        if deed == "lost":
            raise broken()
        if "permissions" in asked.path and answer.status == 200:
            process.view = self.truth.edits
        return answer

    def _do(self, asked: Asked, view: int) -> Answer:
        answer = self._application.finish(self._application.begin(asked))
        if answer.status >= 500:
            raise BadError(f"the emulator failed: {answer.body!r}")
        if asked.method == "PUT" and answer.status == 200:
            self.truth.land(_role_of(asked), view)
            gained = self.truth.gained(self.rights())
            if gained:
                raise BadError(f"S5: roles {gained} gained rights")
        return answer

    def _passed(self, seconds: float) -> None:
        """Let the requests land that were under way until now."""
        due = sorted((d for d in self._due if d.at <= seconds), key=lambda d: d.at)
        self._due = [one for one in self._due if one.at > seconds]
        for one in due:
            self._do(one.asked, one.view)

    def land_all(self) -> None:
        """Let time pass until nothing is under way."""
        if self._due:
            self.clock.sleep(max(one.at for one in self._due) - self.clock.seconds)

    # What must be true

    def _check_leaving(self, asked: Asked) -> None:
        role = _role_of(asked)
        if role == self.exempt:
            raise BadError("S9: the exclusive role is written")
        wanted = sorted(one["id"] for one in json.loads(asked.body)["permissions"])
        for intent in self.store.intents(role):
            if wanted == sorted(one["id"] for one in json.loads(intent)):
                return
        raise BadError("S4: a request left before its intent was written")

    def check_epoch(self) -> None:
        """S1: the epoch never falls."""
        found = self.store.ask("SELECT epoch FROM codebeamer_lock")
        epoch = found[0][0] if found else 0
        if epoch < self.epoch:
            raise BadError(f"S1: the epoch fell from {self.epoch} to {epoch}")
        self.epoch = epoch

    def state(self) -> str:
        """Return what the record says."""
        found = self.store.ask("SELECT state FROM codebeamer_lock")
        return str(found[0][0]) if found else "free"

    def check_held(self) -> None:
        """S2: nobody else writes, but where somebody granted since the last look."""
        for role, has in self.rights().items():
            is_new = self.truth.edited.get(role, -1) > self.process.view
            if role != self.exempt and not is_new and not has <= READ_ONLY:
                raise BadError(f"S2: role {role} writes while the tracker is held")

    def check_end(self) -> None:
        """L1, E1: the tracker is free, and every role is as it must be."""
        self.check_epoch()
        if self.state() != "free":
            raise BadError(f"L1: the tracker is {self.state()} at the end")
        self.check_free()

    def check_free(self) -> None:
        """S7: every role is as it must be when nobody has the tracker."""
        now = self.rights()
        wrong = self.truth.wrong(now)
        if self.truth.revoked:
            wrong += self.truth.untold(now, self._told())
        if wrong:
            raise BadError(f"E1: {'; '.join(wrong)}")

    def _told(self) -> dict[int, frozenset[int]]:
        """Return what the history says may have been revoked, by role."""
        found: dict[int, frozenset[int]] = {}
        question = "SELECT detail FROM codebeamer_event WHERE kind = 'doubt'"
        for (text,) in self.store.ask(question):
            detail = json.loads(text)
            rights = frozenset(one["id"] for one in detail["rights"])
            role = detail["role_id"]
            found[role] = found.get(role, frozenset()) | rights
        return found


def _role_of(asked: Asked) -> int:
    return int(asked.path.split("/roles/")[1].split("/")[0])
