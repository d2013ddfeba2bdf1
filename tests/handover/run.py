"""The hand-over run: so many processes, so many rounds, some of them killed."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests

from airflow_codebeamer.emulator import ALL_PERMISSIONS, WorldBuilder
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import LockState, LockStatus, LockStore, Recovery
from airflow_codebeamer.settings import ServerSettings, Settings, StoreSettings
from airflow_codebeamer.wiring import connect
from tests.bench.large import serving
from tests.handover.judging import Block, blocks_of, overlaps

ROLE = "Generator"
LOCKER = Path(__file__).with_name("locker.py")
#: Short, so that a dead holder costs seconds: half a minute and more is usual.
TIMING = {
    "ttl": 3.0,
    "bridge": 3.0,
    "beat": 0.5,
    "margin": 1.0,
    "lock_delay": 0.5,
    "poll": 0.3,
    "waiter_ttl": 3.0,
    "offer_ttl": 3.0,
}


@dataclass(frozen=True)
class Size:
    """How many processes, rounds of each, and kills."""

    processes: int = 8
    rounds: int = 200
    kills: int = 20
    kill_every_seconds: float = 8.0
    hold_seconds: float = 0.02
    seed: int = 1


@dataclass
class Slot:
    """One process after the other with the same account."""

    login: str
    process: subprocess.Popen[str] | None = None
    first: int = 0
    steps: list[dict[str, Any]] = field(default_factory=list)
    kills: list[float] = field(default_factory=list)
    reader: threading.Thread | None = None


@dataclass
class Found:
    """What the server's record, the processes and the store say of a run."""

    store: str
    size: Size
    seconds: float
    rounds: int
    lost: int
    kills: int
    under_lock: int
    puts: int
    blocks: int
    problems: list[str]
    handover_ms: list[float]
    takeover_ms: list[float]

    def to_json(self) -> dict[str, Any]:
        """Return what the page needs."""
        return {
            **asdict(self),
            "seconds": round(self.seconds, 1),
            "handover_ms": percentiles(self.handover_ms),
            "takeover_ms": percentiles(self.takeover_ms),
        }


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return count, p50, p99 and the longest."""
    found = sorted(values)
    if not found:
        return {"count": 0, "p50": 0.0, "p99": 0.0, "longest": 0.0}

    def at(share: float) -> float:
        return round(found[min(len(found) - 1, int(share * len(found)))], 1)

    longest = round(found[-1], 1)
    return {"count": len(found), "p50": at(0.5), "p99": at(0.99), "longest": longest}


def world(processes: int) -> tuple[dict[str, Any], int, list[str]]:
    """Return a world with one tracker, two roles that write, and the accounts.

    All accounts are in the one role that is kept, which may not see its members:
    so the lock cannot refuse them, and the server's record tells them apart.
    """
    builder = WorldBuilder()
    project = builder.project("Brake System", "BRK")
    own = builder.role(project, ROLE, trackers_admin=True, members_view=False)
    permissions: dict[int, Sequence[int]] = {own: ALL_PERMISSIONS}
    for name in ("Developer", "Tester"):
        permissions[builder.role(project, name)] = (0, 1, 2, 3, 4, 7, 8, 10, 11)
    logins = [f"locker{number}" for number in range(1, processes + 1)]
    for login in logins:
        builder.member(project, builder.user(login), own)
    tracker = builder.tracker(project, "REQ", "REQ", permissions=permissions)
    builder.item(tracker, "An item")
    return builder.build(), tracker, logins


def play(size: Size, store: str, name: str) -> Found:
    """Play one run on a store.

    Raises:
        RuntimeError: a process failed by itself.
    """
    made, tracker, logins = world(size.processes)
    with TemporaryDirectory(prefix="handover") as place:
        path = Path(place) / "world.json"
        path.write_text(json.dumps(made))
        with serving(path) as url:
            return _Play(size, url, store, tracker, logins).run(name)


class _Play:
    def __init__(
        self,
        size: Size,
        url: str,
        store: str,
        tracker: int,
        logins: list[str],
    ) -> None:
        self._size = size
        self._url = url
        self._store = store
        self._tracker = tracker
        self._slots = [Slot(login) for login in logins]
        self._chance = random.Random(size.seed)  # noqa: S311
        self._under_lock = 0

    def run(self, name: str) -> Found:
        before = self._permissions()
        began = time.monotonic()
        try:
            for slot in self._slots:
                self._start(slot)
            self._until_done()
        finally:
            for slot in self._slots:
                if slot.process is not None:
                    slot.process.kill()
        seconds = time.monotonic() - began
        self._recover()
        problems = [] if self._permissions() == before else ["permissions differ"]
        return self._found(name, seconds, problems)

    def _start(self, slot: Slot) -> None:
        told = {
            "url": self._url,
            "store": self._store,
            "tracker": self._tracker,
            "login": slot.login,
            "role": ROLE,
            "first": slot.first,
            "rounds": self._size.rounds,
            "hold_seconds": self._size.hold_seconds,
            "timing": TIMING,
        }
        process = subprocess.Popen(
            [sys.executable, str(LOCKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(told) + "\n")
        process.stdin.close()
        slot.process = process
        slot.reader = threading.Thread(target=self._hear, args=(slot, process))
        slot.reader.start()

    def _hear(self, slot: Slot, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            # A killed process may leave half a line.
            if line.endswith("\n"):
                slot.steps.append(json.loads(line))
        process.stdout.close()

    def _until_done(self) -> None:
        left, next_kill = self._size.kills, self._soon()
        while any(slot.process is not None for slot in self._slots):
            time.sleep(0.02)
            for slot in self._slots:
                self._look(slot)
            if left and time.monotonic() >= next_kill and self._kill():
                left, next_kill = left - 1, self._soon()

    def _soon(self) -> float:
        every = self._size.kill_every_seconds
        return time.monotonic() + self._chance.uniform(0.5, 1.5) * every

    def _look(self, slot: Slot) -> None:
        if slot.process is None or slot.process.poll() is None:
            return
        code = slot.process.wait()
        assert slot.reader is not None
        slot.reader.join()
        slot.process = None
        if code == 0:
            return
        if code != -9:
            raise RuntimeError(f"{slot.login} ended with {code}")
        # The next process goes on with the round after the last one begun.
        slot.first = max((step["round"] for step in slot.steps), default=-1) + 1
        if slot.first < self._size.rounds:
            self._start(slot)

    def _kill(self) -> bool:
        alive = [s for s in self._slots if s.process is not None and s.steps]
        if not alive:
            return False
        # Every other time the one who has the tracker, at whatever it does.
        holding = [s for s in alive if s.steps[-1]["step"] in ("held", "releasing")]
        slot = self._chance.choice(
            holding if holding and self._chance.random() < 0.5 else alive
        )
        assert slot.process is not None
        self._under_lock += slot.steps[-1]["step"] in ("held", "releasing")
        slot.kills.append(time.monotonic())
        slot.process.kill()
        return True

    def _recover(self) -> None:
        """Give back what the very last process may have left."""
        server = ServerSettings(
            url=self._url,
            login=self._slots[0].login,
            password=self._slots[0].login,
            requests_per_second=None,
            requests_per_minute=None,
            exclusive_role=ROLE,
        )
        settings = Settings(server=server, store=StoreSettings(url=self._store))
        with connect(settings) as codebeamer:
            status = LockStatus(LockStore(codebeamer.database))
            end = time.monotonic() + 30
            while time.monotonic() < end:
                lock = status.find(codebeamer.settings.server.base, self._tracker_id)
                if lock is None or lock.state is LockState.FREE:
                    return
                Recovery(codebeamer.engine, trust_store=True).recover()
                time.sleep(0.2)
        raise RuntimeError("the tracker was never free again")

    @property
    def _tracker_id(self) -> TrackerId:
        return TrackerId(self._tracker)

    def _permissions(self) -> Any:
        (tracker,) = self._ask("world")["trackers"]
        return tracker["permissions"]

    def _ask(self, name: str) -> Any:
        control = self._url.removesuffix("/cb") + "/emulator"
        return requests.get(f"{control}/{name}", timeout=120).json()

    def _found(self, name: str, seconds: float, problems: list[str]) -> Found:
        puts = [c for c in self._ask("calls") if c["operation"] == "updatePermission"]
        blocks = blocks_of(puts)
        kills = {slot.login: [_stamp(at) for at in slot.kills] for slot in self._slots}
        lost = {
            slot.login: [_stamp(s["at"]) for s in slot.steps if s["step"] == "lost"]
            for slot in self._slots
        }
        problems += overlaps(blocks, kills, lost)
        steps = sorted(
            (
                {**step, "login": slot.login}
                for slot in self._slots
                for step in slot.steps
            ),
            key=lambda step: step["at"],
        )
        problems += _epochs(steps)
        problems += [f"drift: {s['drift']}" for s in steps if s.get("drift")]
        held = [step for step in steps if step["step"] == "held"]
        return Found(
            name,
            self._size,
            seconds,
            len(held),
            sum(step["step"] == "lost" for step in steps),
            sum(len(slot.kills) for slot in self._slots),
            self._under_lock,
            len(puts),
            len(blocks),
            problems,
            _handovers(steps),
            _takeovers(self._slots, steps),
        )


def _stamp(at: float) -> str:
    """Return a moment of the monotonic clock as the emulator writes times."""
    moment = time.time() - (time.monotonic() - at)
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")[:23]


def _epochs(steps: list[dict[str, Any]]) -> list[str]:
    """Nobody holds an epoch that somebody held before, nor an older one."""
    held = [step["epoch"] for step in steps if step["step"] == "held"]
    is_rising = all(before < after for before, after in itertools.pairwise(held))
    return [] if is_rising else ["epochs did not rise from one holder to the next"]


def _handovers(steps: list[dict[str, Any]]) -> list[float]:
    """Return the milliseconds from each release to the next holder."""
    found = []
    for before, after in itertools.pairwise(steps):
        if before["step"] == "released" and after["step"] == "held":
            found.append(1000 * (after["at"] - before["at"]))
    return found


def _takeovers(slots: list[Slot], steps: list[dict[str, Any]]) -> list[float]:
    """Return the milliseconds from the kill of a holder to the next one."""
    found = []
    for slot in slots:
        for kill in slot.kills:
            last = [s for s in steps if s["login"] == slot.login and s["at"] < kill]
            if not last or last[-1]["step"] not in ("held", "releasing"):
                continue
            later = [s for s in steps if s["step"] == "held" and s["at"] > kill]
            if later:
                found.append(1000 * (later[0]["at"] - kill))
    return found


__all__ = ["Block", "Found", "Size", "percentiles", "play", "world"]
