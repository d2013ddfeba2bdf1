"""One adversary run: an emulator, a client program of others, a generator, a lock."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests
from pydantic import SecretStr

from airflow_codebeamer.errors import LockLostError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Lock, Owner
from airflow_codebeamer.settings import (
    LockSettings,
    ServerSettings,
    Settings,
    StoreSettings,
)
from airflow_codebeamer.skeleton import Skeleton
from airflow_codebeamer.wiring import Codebeamer, connect
from tests.adversary.judging import PUT, Evidence, Verdict, judge
from tests.adversary.scene import CLERK, GENERATOR, PROJECT, Scene, build
from tests.bench.large import serving

HAMMER = Path(__file__).with_name("hammer.py")
ALL_RIGHTS = range(28)
#: How often it is asked under the lock what others wrote.
LOOK = timedelta(milliseconds=250)


@dataclass(frozen=True)
class Size:
    """How many, how fast, and how long: before, under, and after the lock."""

    users: int = 50
    think_seconds: float = 0.2
    free_seconds: float = 4.0
    held_seconds: float = 60.0
    items: int = 60
    seed: int = 1


@dataclass
class Played:
    """A run and what was found; `same` says whether permissions came back exactly."""

    size: Size
    verdict: Verdict
    seconds_held: float
    generated: int
    rounds: int
    same: bool
    drift: list[str]

    def to_json(self) -> dict[str, Any]:
        """Return what the page needs."""
        found = self.verdict
        return {
            "size": asdict(self.size),
            "seconds_held": round(self.seconds_held, 1),
            "generated": self.generated,
            "rounds": self.rounds,
            "same": self.same,
            "drift": self.drift,
            "requests": found.requests,
            "problems": found.problems,
            "statuses": {str(k): v for k, v in sorted(found.statuses.items())},
            "told": dict(sorted(found.told.items())),
            "look_seconds": LOOK.total_seconds(),
            "people": [[*key, count] for key, count in sorted(found.people.items())],
            "administrators": [
                [*key, count] for key, count in sorted(found.administrators.items())
            ],
        }


class Server:
    """The emulator's process, asked by HTTP alone."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._control = url.removesuffix("/cb") + "/emulator"

    def look(self, name: str) -> Any:
        """Return what the control prefix answers."""
        return requests.get(f"{self._control}/{name}", timeout=60).json()

    def mark(self, tracker: int) -> int:
        """Leave a call of the clerk's in the record; return its number."""
        path = f"/api/v3/trackers/{tracker}"
        answer = requests.get(self.url + path, auth=(CLERK, CLERK), timeout=60)
        answer.raise_for_status()
        calls = self.look("calls")
        return max(call["number"] for call in calls if call["user"] == CLERK)

    def grant(self, tracker: int, role: int) -> dict[str, Any]:
        """Let the project administrator give himself everything back."""
        path = f"/api/v3/trackers/{tracker}/roles/{role}/permissions"
        body = {"permissions": [{"id": number} for number in ALL_RIGHTS]}
        answer = requests.put(
            self.url + path, json=body, auth=(PROJECT, PROJECT), timeout=60
        )
        return {
            "user": PROJECT,
            "operation": PUT,
            "tracker": tracker,
            "item": None,
            "status": answer.status_code,
            "at": time.time(),
        }


@contextmanager
def hammering(url: str, scene: Scene, size: Size, log: list[Any]) -> Iterator[None]:
    """Let the users hammer meanwhile; what they did is in the log afterwards."""
    told = {
        "url": url,
        "users": scene.users,
        "items": scene.items,
        "spares": scene.spares,
        "think": size.think_seconds,
        "seed": size.seed,
    }
    with subprocess.Popen(
        [sys.executable, str(HAMMER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(told) + "\n")
            process.stdin.flush()
            yield
            said, _ = process.communicate("stop\n", timeout=60)
            log += json.loads(said)
        finally:
            process.kill()


def play(size: Size) -> Played:
    """Play one run.

    Raises:
        CodebeamerError: our side failed, which nothing here may bring about.
    """
    scene = build(size.users, size.items)
    with TemporaryDirectory(prefix="adversary") as place:
        path = Path(place) / "world.json"
        path.write_text(json.dumps(scene.world))
        with serving(path) as url, _connected(url, place) as codebeamer:
            return _play(scene, size, Server(url), codebeamer)


def _connected(url: str, place: str) -> Codebeamer:
    server = ServerSettings(
        url=url,
        login=GENERATOR,
        password=SecretStr(GENERATOR),
        requests_per_second=None,
        requests_per_minute=None,
        exclusive_role="Generator",
    )
    store = StoreSettings(url=SecretStr(f"sqlite:///{place}/locks.db"))
    # Administrators may write to any item, more than once.
    lock = LockSettings(
        certificate="warn",
        certificate_histories=5000,
        certificate_depth="files",
        certificate_files=5000,
        certificate_watch=LOOK,
    )
    return connect(Settings(server=server, store=store, lock=lock))


def _play(scene: Scene, size: Size, server: Server, codebeamer: Codebeamer) -> Played:
    log: list[dict[str, Any]] = []
    owner = Owner("adversary run")
    trackers = [TrackerId(number) for number in scene.trackers]
    before = _permissions(server.look("world"))
    extra: list[dict[str, Any]] = []
    with hammering(server.url, scene, size, log):
        time.sleep(size.free_seconds)
        locks = [codebeamer.engine.acquire(number, owner=owner) for number in trackers]
        began = time.monotonic()
        held_at, held = server.mark(trackers[0]), server.look("world")
        worker = _Worker(codebeamer, locks)
        with _looking(codebeamer, locks):
            worker.work(size.held_seconds / 2)
            extra.append(server.grant(trackers[0], scene.project_role))
            worker.work(size.held_seconds / 2)
        restoring, restoring_at = server.look("world"), server.mark(trackers[0])
        seconds = time.monotonic() - began
        reports = [
            codebeamer.engine.release(number, owner_key=owner.key)
            for number in trackers
        ]
        time.sleep(size.free_seconds)
    log += extra
    end = server.look("world")
    certificates = {
        int(report.tracker_id): report.certificate.to_json()
        for report in reports
        if report.certificate is not None
    }
    log.sort(key=lambda entry: float(entry["at"]))
    evidence = Evidence(
        server.look("calls"),
        log,
        held,
        restoring,
        end,
        held_at,
        restoring_at,
        certificates,
    )
    verdict = judge(evidence)
    return Played(
        size,
        verdict,
        seconds,
        worker.written,
        worker.rounds,
        _permissions(end) == before,
        [line for report in reports for line in report.drift],
    )


@contextmanager
def _looking(codebeamer: Codebeamer, locks: list[Lock]) -> Iterator[None]:
    """Look at all trackers all the time, as a task that keeps them does."""
    lost: list[LockLostError] = []
    looks = [
        look for lock in locks for look in codebeamer.engine.look_out(lock, lost.append)
    ]
    try:
        yield
    finally:
        for look in looks:
            look.stop()
    assert not lost, lost


class _Worker:
    """A generator that works: it writes another document whenever one is done."""

    def __init__(self, codebeamer: Codebeamer, locks: list[Lock]) -> None:
        self._codebeamer = codebeamer
        self._locks = locks
        self.rounds = 0
        self.written = 0

    def work(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for lock in self._locks:
                self.rounds += 1
                done = self._codebeamer.runner.apply(
                    _document(self.rounds, lock.tracker_id),
                    {},
                    lock.tracker_id,
                    lock,
                    run_key=f"round {self.rounds}",
                )
                self.written += done.created + done.updated


def _document(number: int, tracker: int) -> Skeleton:
    items = [
        {
            "key": f"g{at}",
            "name": f"Generated {at}, round {number}",
            "parent": None if at == 0 else "g0",
        }
        for at in range(20)
    ]
    return Skeleton.model_validate(
        {"owner": "adversary", "target": {"tracker": tracker}, "items": items}
    )


def _permissions(world: dict[str, Any]) -> dict[int, Any]:
    return {one["id"]: one["permissions"] for one in world["trackers"]}
