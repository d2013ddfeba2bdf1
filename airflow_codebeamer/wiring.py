"""Settings become engines here, and nowhere else.

Nothing is dialled or opened before it is used: each part is built the first
time that somebody asks for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, TypeVar, cast

from airflow_codebeamer.client import Client
from airflow_codebeamer.clock import Clock, SystemClock
from airflow_codebeamer.database import Database
from airflow_codebeamer.generator import Quarantine, Runner, TurnRunner, UndoReport
from airflow_codebeamer.journal import Journal, Runs
from airflow_codebeamer.locking import (
    Lock,
    LockEngine,
    LockStatus,
    LockStore,
    Queue,
    Recovery,
    Rotation,
    Writer,
)
from airflow_codebeamer.settings import Settings, StoreSettings
from airflow_codebeamer.skeleton import Progress

__all__ = ["Codebeamer", "StoreView", "connect", "open_store"]

T = TypeVar("T")
Say = Callable[[str], None]
ShowProgress = Callable[[Progress], None]


class _Parts:
    """Builds each part once, whichever thread asks first."""

    def __init__(self) -> None:
        self._built: dict[str, object] = {}
        self._building = threading.RLock()

    def get(self, name: str, build: Callable[[], T]) -> T:
        with self._building:
            if name not in self._built:
                self._built[name] = build()
            return cast(T, self._built[name])

    def find(self, name: str) -> object | None:
        with self._building:
            return self._built.get(name)


class StoreView:
    """The lock store alone: enough to look at locks, not to change them.

    A context manager; leaving it closes the store.
    """

    def __init__(self, settings: StoreSettings, *, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._parts = _Parts()

    @property
    def database(self) -> Database:
        """The lock store's tables."""
        return self._parts.get(
            "database", lambda: Database(self._settings, clock=self._clock)
        )

    @property
    def status(self) -> LockStatus:
        """Looks at locks, never acts."""
        return self._parts.get("status", lambda: LockStatus(LockStore(self.database)))

    @property
    def queue(self) -> Queue:
        """Who waits for which tracker."""
        return self._parts.get("queue", lambda: LockStore(self.database).queue)

    def close(self) -> None:
        """Close what was opened."""
        database = self._parts.find("database")
        if isinstance(database, Database):
            database.close()

    def __enter__(self) -> StoreView:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Codebeamer(StoreView):
    """A server, its lock store, and everything that works on the two.

    A context manager; leaving it closes connections. May be shared by threads.

    Not promised: that leaving it releases locks. They belong to their owners,
    not to a process.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        say: Say | None = None,
        escrow: Say | None = None,
        progress: ShowProgress | None = None,
    ) -> None:
        super().__init__(settings.store, clock=clock)
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self._say = say or _nothing
        self._escrow = escrow or self._say
        self._progress = progress

    @property
    def client(self) -> Client:
        """The server's REST API."""
        return self._parts.get(
            "client", lambda: Client(self.settings.server, clock=self.clock)
        )

    @property
    def writers(self) -> tuple[Writer, ...]:
        """The two accounts that write in turn; empty if the client's does."""
        return self._parts.get(
            "writers",
            lambda: tuple(
                Writer(one.exclusive_role, Client(one, clock=self.clock))
                for one in self.settings.writers
            ),
        )

    @property
    def journal(self) -> Journal:
        """What was about to be done, and what became of it."""
        return self._parts.get("journal", lambda: Journal(self.database))

    @property
    def runs(self) -> Runs:
        """The runs that the store knows."""
        return self._parts.get("runs", lambda: Runs(self.database))

    @property
    def engine(self) -> LockEngine:
        """Takes, renews and releases locks; undoes open runs before it restores."""
        return self._parts.get("engine", self._new_engine)

    @property
    def recovery(self) -> Recovery:
        """Finishes what crashed processes left."""
        return self._parts.get(
            "recovery",
            lambda: Recovery(self.engine, order=self.runs.newest_first),
        )

    @property
    def quarantine(self) -> Quarantine:
        """Knows which runs keep their tracker locked, and lets a person end it."""
        return Quarantine(self.runs)

    @property
    def runner(self) -> Runner:
        """Runs generators under a lock."""
        return self._parts.get("runner", lambda: self.runner_with(self._progress))

    def runner_with(
        self, progress: ShowProgress | None, stop: threading.Event | None = None
    ) -> Runner:
        """Return another runner, which reports its progress there.

        Setting `stop`, from wherever, ends its program or its writing.
        """
        made = partial(
            self._new_runner,
            clock=self.clock,
            settle=self.settings.lock.lock_delay,
            say=self._say,
            progress=progress,
            stop=stop,
        )
        if not self.writers:
            return made(self.client)
        return TurnRunner(
            made,
            self.engine.parts.writer_client,
            self.writers[0].client,
            self.engine,
            self.journal,
            self.runs,
            clock=self.clock,
            say=self._say,
            progress=progress,
            stop=stop,
        )

    def _new_runner(self, client: Client, **how: Any) -> Runner:
        return Runner(client, self.engine, self.journal, self.runs, **how)

    def close(self) -> None:
        """Close what was opened."""
        client = self._parts.find("client")
        if isinstance(client, Client):
            client.close()
        for writer in self.writers if self._parts.find("writers") else ():
            writer.client.close()
        super().close()

    def __enter__(self) -> Codebeamer:
        return self

    def _new_engine(self) -> LockEngine:
        return LockEngine(
            LockStore(self.database),
            self.journal,
            self.client,
            self.settings.lock,
            clock=self.clock,
            exclusive_role=self.settings.server.exclusive_role,
            undo=self._undo,
            say=self._say,
            escrow=self._escrow,
            rotation=Rotation(self.writers) if self.writers else None,
        )

    def _undo(self, lock: Lock, guard: Callable[[], None]) -> UndoReport:
        # Engine and runner need each other; the engine asks only when it undoes.
        return self.runner.undo(lock, guard)


def connect(
    settings: Settings,
    *,
    clock: Clock | None = None,
    say: Say | None = None,
    escrow: Say | None = None,
    progress: ShowProgress | None = None,
) -> Codebeamer:
    """Return the engines for these settings; nothing is dialled yet.

    `say` gets a line at each step that people should know of, `escrow` the originals
    of each lock (without it `say` gets them), `progress` what a run has written so
    far. A `clock` replaces all time, the store's too.
    """
    return Codebeamer(settings, clock=clock, say=say, escrow=escrow, progress=progress)


def open_store(settings: StoreSettings, *, clock: Clock | None = None) -> StoreView:
    """Return what looks at a lock store, without any server."""
    return StoreView(settings, clock=clock)


def _nothing(_: object) -> None:
    pass
