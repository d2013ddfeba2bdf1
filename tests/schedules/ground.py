"""Ground: a server in this process, a store and a time, put back in a moment.

Nothing of ours is replaced: the engine, its store and its client are the real ones.
Only what carries a request is other, and the emulator answers as it does over HTTP.
"""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_codebeamer.client import Client
from airflow_codebeamer.client.transport import Transport
from airflow_codebeamer.emulator import READ_ONLY
from airflow_codebeamer.emulator.app import Application
from airflow_codebeamer.emulator.step import Answer, Asked
from airflow_codebeamer.emulator.world import Role, World
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.journal import Journal
from airflow_codebeamer.locking import LockEngine, LockStore
from airflow_codebeamer.locking.rotation import Rotation, Writer
from airflow_codebeamer.settings import LockSettings, ServerSettings
from tests.schedules.clock import DueClock, StoreClock
from tests.schedules.process import FusedStore, InProcess, Process, broken
from tests.schedules.scenes import WRITE, Scene, pair, plain, rotating
from tests.schedules.stores import PostgresStore, SqliteStore
from tests.schedules.truth import Truth

__all__ = ["EDITS", "BadError", "Ground", "Image"]

URL = "http://codebeamer.invalid/cb"
_SCENES = {"rotation": rotating, "two trackers": pair}
_POLICIES = ("exact", "keep")
_PERMISSIONS = re.compile(r"/trackers/(\d+)/.*permissions")
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
    """A scene with so many writing roles, and one reader."""

    def __init__(
        self, place: Path, writing: int, *, form: str = "", postgres: str = ""
    ) -> None:
        #: What is played on it, "" for a lock as it is by default.
        self.form = form
        policy = form if form in _POLICIES else "merge"
        self.settings = LockSettings(restore_policy=policy)
        self.clock = DueClock(self._passed)
        self.store_clock = StoreClock(self.clock)
        self.store: Any = (
            PostgresStore(postgres, self.store_clock)
            if postgres
            else SqliteStore(place / f"store{writing}{form}.db", self.store_clock)
        )
        self._due: list[Due] = []
        #: Whether a request of this schedule was, or is, late.
        self.has_late = False
        #: Whether one was, or is, later than the lock delay covers.
        self.has_very_late = False
        self.epoch = 0
        self._epochs: dict[int, int] = {}
        self.process = Process()
        scene = _SCENES.get(form, plain)(writing)
        self._build(scene)
        self._client = self._login("generator")
        self._rotation = Rotation(
            [Writer(name, self._login(name)) for name in scene.turning]
        )
        # Once a day a preflight asks who else is in the role: not in what is counted.
        for tracker in self.trackers:
            self.engine(self.process).preflight(tracker).require()
        self.start = self.image()

    def _build(self, scene: Scene) -> None:
        self.project, self.exempt = scene.project, scene.exempt
        self.writers, self.reader = scene.writers, scene.reader
        self.trackers, self.tracker = scene.trackers, scene.trackers[0]
        self.turning = frozenset(scene.turning.values())
        self._application = Application(World.load(scene.world))
        self._application.clock.stop()
        rights = {role: frozenset(ids) for role, ids in scene.permissions.items()}
        self.truth = Truth.of(rights)
        # What their turn gives them was given them by whoever set the rotation up.
        more = dict.fromkeys(self.turning, frozenset(range(28)))
        self.truth.ever.update(more)

    def _login(self, login: str) -> Client:
        settings = ServerSettings(
            url=URL,
            login=login,
            password=login,
            requests_per_second=None,
            requests_per_minute=None,
        )
        adapter = InProcess(self._carry)
        transport = Transport(settings, self.clock, adapter=adapter)
        return Client(settings, transport=transport)

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
            settings or self.settings,
            clock=self.clock,
            exclusive_role="Generator",
            rotation=self._rotation if self.turning else None,
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
        self._epochs.clear()
        self.check_epoch()

    def close(self) -> None:
        """Close what was opened."""
        self._client.close()
        self.store.close()

    # What happens on the server

    def rights(self) -> dict[int, frozenset[int]]:
        """Return what each role has on the server now."""
        world = self._application.world
        return {
            role: frozenset(ids)
            for tracker in self.trackers
            for role, ids in (world.trackers[tracker].permissions or {}).items()
        }

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
        tracker = self._tracker_of(role)
        path = f"/v3/trackers/{tracker}/roles/{role}/permissions"
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

    def _tracker_of(self, role: int) -> TrackerId:
        """Return on which tracker a role has rights; the first, if on none or all."""
        world = self._application.world
        for tracker in self.trackers:
            if role in (world.trackers[tracker].permissions or {}):
                return tracker
        return self.tracker

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
            if number > self._view(process, role) and self.store.intents(role):
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
            view = self._view(process, _role_of(asked))
            due = Due(self.clock.seconds + seconds, asked, view)
            self._due.append(due)
            self.has_late = True
            self.has_very_late |= seconds > LockSettings().lock_delay.total_seconds()
            if "crash" in deed:
                process.die()
            raise broken()
        is_put = asked.method == "PUT"
        view = self._view(process, _role_of(asked)) if is_put else -1
        answer = self._do(asked, view)
        if deed == "lost":
            raise broken()
        if answer.status == 200 and not (is_put and _role_of(asked) in self.turning):
            self._saw(process, asked.path)
        return answer

    def _view(self, process: Process, role: int) -> int:
        """Return the last edit that a process can have seen where a role is."""
        tracker = self._tracker_of(role)
        if tracker == self.tracker:
            return process.view
        return process.views.get(tracker, -1)

    def _saw(self, process: Process, path: str) -> None:
        """Note that the permissions of a tracker were shown, if they were."""
        found = _PERMISSIONS.search(path)
        tracker = int(found[1]) if found is not None else 0
        if tracker == self.tracker:
            process.view = self.truth.edits
        elif tracker:
            process.views[tracker] = self.truth.edits

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
        question = "SELECT tracker_id, epoch FROM codebeamer_lock"
        for tracker, epoch in self.store.ask(question):
            known = self._epochs.get(tracker, 0)
            if epoch < known:
                raise BadError(f"S1: the epoch fell from {known} to {epoch}")
            self._epochs[tracker] = epoch
        self.epoch = self._epochs.get(self.tracker, 0)

    def state(self) -> str:
        """Return what the record says; of several, what one says that is not free."""
        found = [row[0] for row in self.store.ask("SELECT state FROM codebeamer_lock")]
        return str(next((one for one in found if one != "free"), "free"))

    def check_held(self) -> None:
        """S2: nobody else writes, but where somebody granted since the last look."""
        writing = []
        for role, has in self.rights().items():
            is_new = self.truth.edited.get(role, -1) > self._view(self.process, role)
            if role != self.exempt and not is_new and not has <= READ_ONLY:
                writing.append(role)
        others = [role for role in writing if role not in self.turning]
        if others or (self.turning and len(writing) != 1):
            raise BadError(f"S2: roles {writing} write while the tracker is held")

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
        if wrong and self.form in _POLICIES:
            wrong = self._untold_by_policy(now)
        if self.truth.revoked:
            wrong += self.truth.untold(now, self._told())
        if wrong:
            raise BadError(f"E1: {'; '.join(wrong)}")

    def _untold_by_policy(self, now: dict[int, frozenset[int]]) -> list[str]:
        """Return what differs although nobody edited it, or was told to nobody.

        Under a policy that does not merge, an edit may be undone or kept from a role.
        """
        question = (
            "SELECT detail FROM codebeamer_event WHERE kind = 'restored_verified'"
        )
        told = "".join(row[0] for row in self.store.ask(question))
        found = []
        for role, wanted in self.truth.wanted.items():
            has, must = now.get(role, frozenset()), wanted or frozenset()
            known = self._application.world.roles.get(role)
            is_told = known is None or f"role {known.name}" in told
            is_edited = role in self.truth.edited and has <= self.truth.ever[role]
            if has != must and not (is_edited and is_told):
                found.append(f"role {role} has {sorted(has)}, nobody was told")
        return found

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
