"""A run as Airflow would drive it, on a clock of ours, with an outage in the middle.

The operators, the engines, the emulator and the store are the real ones; only the
time is ours, and what Airflow does between two tries of a task (as often and as
late as the template says). A `Gate` in front of the store makes it slow, full,
busy or absent. Beats happen whenever the time moves, as they would.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError

from airflow_codebeamer.clock import ManualClock
from airflow_codebeamer.database import Database
from airflow_codebeamer.database.failures import told_plainly
from airflow_codebeamer.emulator import Emulator, WorldBuilder
from airflow_codebeamer.errors import (
    CodebeamerError,
    DatabaseError,
    Retry,
)
from airflow_codebeamer.hooks.verdict import airflow_verdict
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import LockState, LockStatus, LockStore, Owner
from airflow_codebeamer.operators import RecoverLocksOperator
from airflow_codebeamer.settings import (
    LockSettings,
    ServerSettings,
    Settings,
    StoreSettings,
)
from airflow_codebeamer.template import generator_dag
from airflow_codebeamer.wiring import Codebeamer

OUTAGE_SECONDS = 600
#: The claim: back within this much after the return.
RETURN_SECONDS = 60
COUNT = 12
KEY = "outage/run"

#: In real time: a thread that beats whenever it can.
_BEAT = timedelta(milliseconds=4)
_STEP_SECONDS = 20.0
_PULSE = "lock-"
#: What errors tell people to do, or that something goes on by itself.
_ADVICE = ("look", "recover", "check", "lower", "try again", "make room", "right?")


class KilledError(BaseException):
    """The process is gone; nothing may catch this."""


class SteppingClock(ManualClock):
    """A clock that moves in steps, does what is due, and lets the pulses beat."""

    def __init__(self) -> None:
        super().__init__()
        self.beats = 0
        self.on_step: Callable[[float], None] = lambda seconds: None
        self._due: list[tuple[float, Callable[[], None]]] = []

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Act once that many seconds have passed."""
        self._due.append((self.monotonic() + seconds, act))

    def advance(self, seconds: float) -> None:
        """Move forward in steps; only the main thread moves time."""
        if threading.current_thread().name.startswith(_PULSE):
            return
        left = seconds
        while left > 0:
            step = min(left, _STEP_SECONDS)
            left -= step
            super().advance(step)
            self.on_step(step)
            due = [act for when, act in self._due if when <= self.monotonic()]
            self._due = [one for one in self._due if one[0] > self.monotonic()]
            for act in due:
                act()
            if step > 1.0:
                self._let_beat()

    def _let_beat(self) -> None:
        """Wait, in real time, until whoever beats has had a chance to."""
        seen, end = self.beats, time.monotonic() + 5.0
        while self.beats < seen + 2 and _pulses() and time.monotonic() < end:
            time.sleep(0.001)


def _pulses() -> bool:
    return any(one.name.startswith(_PULSE) for one in threading.enumerate())


class Gate:
    """A store that can be away (`down`), `full`, `locked` or `slow`."""

    def __init__(self, database: Database, clock: SteppingClock, file: Path) -> None:
        self._database = database
        self._clock = clock
        self._file = file
        self._blocker: sqlite3.Connection | None = None
        self.now = database.now
        self.mode = ""
        self.is_dead = False
        self.after_commit: Callable[[], None] = lambda: None

    @contextmanager
    def begin(self) -> Iterator[Any]:
        is_pulse = threading.current_thread().name.startswith(_PULSE)
        try:
            self._pass(writes=True)
            with self._database.begin() as connection:
                yield connection
        finally:
            if is_pulse:
                self._clock.beats += 1
        if threading.current_thread() is threading.main_thread():
            self.after_commit()

    @contextmanager
    def read(self) -> Iterator[Any]:
        self._pass(writes=False)
        with self._database.read() as connection:
            yield connection

    def close(self) -> None:
        self.open()
        self._database.close()

    def shut(self, mode: str) -> None:
        """Begin an outage of the store."""
        self.mode = mode
        if mode == "locked":
            # Somebody's transaction that does not end: really so.
            self._blocker = sqlite3.connect(self._file, check_same_thread=False)
            self._blocker.execute("BEGIN IMMEDIATE")

    def open(self) -> None:
        """End it."""
        self.mode = ""
        if self._blocker is not None:
            self._blocker.close()
            self._blocker = None

    def _pass(self, *, writes: bool) -> None:
        if self.is_dead:
            if threading.current_thread().name.startswith(_PULSE):
                raise DatabaseError("The process of this beat is dead.")
            raise KilledError
        if self.mode == "slow":
            self._clock.sleep(4.0)
        words = {
            "down": "connection to server failed: Connection refused",
            "full": "database or disk is full" if writes else "",
        }.get(self.mode)
        if words:
            with told_plainly("store.db"):
                raise OperationalError("", {}, sqlite3.OperationalError(words))


class GatedCodebeamer(Codebeamer):
    """The engines as wired, with a gate in front of their store."""

    gate: Any

    @property
    def database(self) -> Any:
        return self.gate


@dataclass
class Stage:
    """A server, a store, a run on it, and an outage that begins at a moment."""

    server: Emulator
    gate: Gate
    clock: SteppingClock
    tracker: TrackerId
    settings: Settings
    store: LockStatus
    before: str
    items: list[dict[str, Any]]
    dag: Any
    errors: list[BaseException] = field(default_factory=list)
    returned_at: float | None = None
    #: Whether the run's process dies when the outage begins.
    is_killed: bool = False
    has_begun: bool = False
    on_progress: Callable[[], None] = lambda: None
    _guard: Any = field(default_factory=threading.RLock)

    def connect(self) -> GatedCodebeamer:
        """Return the engines of a process."""
        made = GatedCodebeamer(self.settings, clock=self.clock)
        made.gate = self.gate
        return made

    # --- the outage --------------------------------------------------------

    def begin_when(self, phase: str, begin: Callable[[], Callable[[], None]]) -> None:
        """Begin the outage once a phase is in its middle; end it ten minutes later.

        `begin` returns what ends it.
        """

        def look() -> None:
            with self._guard:
                if self.has_begun or not self.is_in_the_middle(phase):
                    return
                self.has_begun = True
                end = begin()
                self.clock.after(OUTAGE_SECONDS, lambda: self._return(end))
                if self.is_killed:
                    self.gate.is_dead = True
                    raise KilledError

        if phase == "generate":
            self.on_progress = look
        else:
            self.gate.after_commit = look

    def _return(self, end: Callable[[], None]) -> None:
        end()
        self.returned_at = self.clock.monotonic()

    def is_in_the_middle(self, phase: str) -> bool:
        """Whether something of a phase was done, and something is still to do."""
        lock = self.store.find(self.server.url, self.tracker)
        state = LockState.FREE if lock is None else lock.state
        is_reduced = self.server.permissions(self.tracker) != self.before
        if phase == "lock":
            return state is LockState.LOCKING and is_reduced
        if phase == "generate":
            return state is LockState.HELD and self.created >= 3
        return state is LockState.RESTORING

    @property
    def created(self) -> int:
        """How many items there are more than before."""
        return len(self.server.items(self.tracker)) - len(self.items)

    # --- the run -----------------------------------------------------------

    def generate(self) -> Iterator[dict[str, Any]]:
        """Describe what the run writes."""
        for number in range(COUNT):
            yield {"key": f"n{number}", "name": f"n{number}"}

    def play(self) -> None:
        """Do what Airflow does with the template: lock, generate, unlock."""
        if self.task("lock", self._lock):
            self.task("generate", self._generate)
        self.task("unlock", self._operator("unlock"))

    def task(self, name: str, work: Callable[[Codebeamer], Any]) -> bool:
        """Try a task as often and as late as the template says."""
        known = self.dag.get_task(name)
        for left in range(known.retries, -1, -1):
            try:
                with airflow_verdict(), self.connect() as codebeamer:
                    work(codebeamer)
            except AirflowFailException as error:
                self.errors.append(error.__cause__ or error)
                return False
            except CodebeamerError as error:
                self.errors.append(error)
                if left:
                    self.clock.sleep(known.retry_delay.total_seconds())
            else:
                return True
        return False

    def _lock(self, codebeamer: Codebeamer) -> None:
        codebeamer.engine.acquire(
            self.tracker, owner=Owner(KEY), wait_for=timedelta(minutes=10)
        )

    def _generate(self, codebeamer: Codebeamer) -> None:
        lock = codebeamer.engine.acquire(
            self.tracker, owner=Owner(KEY), wait_for=timedelta(minutes=10)
        )
        runner = codebeamer.runner_with(progress=lambda _: self.on_progress())
        runner.apply(self.generate, {}, self.tracker, lock, run_key=KEY)

    def _operator(self, name: str) -> Callable[[Codebeamer], Any]:
        ti = SimpleNamespace(dag_id="outage", run_id="run", map_index=-1)
        return lambda codebeamer: self.dag.get_task(name).work({"ti": ti}, codebeamer)

    def janitor(self, *, every_seconds: float = 180.0, rounds: int = 10) -> None:
        """Run the janitor as its DAG does, until the tracker is free."""
        self.gate.is_dead = False
        operator = RecoverLocksOperator(task_id="recover")
        for _ in range(rounds):
            began = self.clock.monotonic()
            with self.connect() as codebeamer:
                try:
                    operator.work({}, codebeamer)
                except CodebeamerError as error:
                    self.errors.append(error)
            if self.is_free:
                return
            rest = every_seconds - (self.clock.monotonic() - began)
            self.clock.sleep(max(rest, 5.0))

    # --- looking -----------------------------------------------------------

    @property
    def is_free(self) -> bool:
        """Whether nobody holds the tracker and its permissions are as they were."""
        lock = self.store.find(self.server.url, self.tracker)
        is_free = lock is None or lock.state is LockState.FREE
        return is_free and self.server.permissions(self.tracker) == self.before

    def check(self) -> None:
        """Everything is back, in time, and nothing was damaged or kept silent."""
        assert self.returned_at is not None, "the outage did not end, or never began"
        assert self.is_free
        took = self.clock.monotonic() - self.returned_at
        assert took <= RETURN_SECONDS, f"{took:.0f} s after the return"
        assert self.created in (0, COUNT), f"{self.created} items are half of it"
        for error in self.errors:
            assert isinstance(error, CodebeamerError), error
            assert error.retry is not Retry.NEVER, error
            says = str(error)
            places = (self.server.url, "lock store", "/v3/", "was answered with")
            assert any(place in says for place in (*places, "status")), says
            assert any(word in says for word in _ADVICE), says


@contextmanager
def stage_in(
    folder: Path,
    *,
    throttle: str = "off",
    per_minute: float | None = None,
    patience: timedelta = timedelta(milliseconds=80),
) -> Iterator[Stage]:
    """Yield a tracker that three roles may write to, and a DAG of the template."""
    build = WorldBuilder()
    account = build.user("generator")
    project = build.project("Brake System", "BRK")
    exclusive = build.role(project, "Generator", trackers_admin=True)
    build.member(project, account, exclusive)
    permissions = {exclusive: list(range(28))}
    for number in range(3):
        role = build.role(project, f"Writer {number}")
        permissions[role] = [0, 1, 2, 3, 4, 8, 20 + number]
    tracker = build.tracker(project, "T", "T", permissions=permissions)
    build.item(tracker, "Somebody else's")
    clock, file = SteppingClock(), folder / "store.db"
    with Emulator(world=build.build(), throttle=throttle) as server:
        settings = Settings(
            server=ServerSettings(
                url=server.url,
                login="generator",
                password=SecretStr("generator"),
                requests_per_second=None,
                requests_per_minute=per_minute,
                exclusive_role="Generator",
            ),
            store=StoreSettings(url=SecretStr(f"sqlite:///{file}")),
            lock=LockSettings(beat=_BEAT),
        )
        database = Database(settings.store, clock=clock, patience=patience)
        gate = Gate(database, clock, file)
        yield Stage(
            server=server,
            gate=gate,
            clock=clock,
            tracker=TrackerId(tracker),
            settings=settings,
            store=LockStatus(LockStore(database)),
            before=server.permissions(tracker),
            items=server.items(tracker),
            dag=generator_dag("outage", generator="a:b", tracker_id=tracker),
        )
        gate.close()
