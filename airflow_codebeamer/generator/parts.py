"""What everything that runs a generator shares: tools, and the locks it works under."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from uuid import uuid4

from airflow_codebeamer.client import Client
from airflow_codebeamer.clock import Clock
from airflow_codebeamer.errors import GeneratorStoppedError
from airflow_codebeamer.generator.checkpoints import Checkpoints
from airflow_codebeamer.generator.launchers import Lease, Surroundings
from airflow_codebeamer.generator.rollbacks import LEVELS, Rollbacks
from airflow_codebeamer.ids import Lineage, RunId
from airflow_codebeamer.journal import Journal, Run, Runs
from airflow_codebeamer.locking import Heartbeat, Lock, LockEngine
from airflow_codebeamer.skeleton import Application, Progress

__all__ = ["Guard", "Parts", "new_run", "new_run_id"]

Guard = Callable[[], None]


@dataclass(frozen=True)
class Parts:
    """The tools of a run, as the runner was given them."""

    client: Client
    engine: LockEngine
    journal: Journal
    runs: Runs
    application: Application
    rollbacks: Rollbacks
    clock: Clock
    say: Callable[[str], None]
    progress: Callable[[Progress], None]
    stop: threading.Event

    @contextmanager
    def renewed(self, locks: Sequence[Lock]) -> Iterator[Guard]:
        """Renew locks meanwhile; yields the guard that asks for all of them.

        Locks that were taken in one set have one heartbeat, which keeps them all.
        """
        with ExitStack() as beating:
            beats: list[Heartbeat] = []
            for lock in locks:
                kept = {one.tracker_id for beat in beats for one in beat.locks}
                if lock.tracker_id not in kept:
                    beat = beating.enter_context(Heartbeat(self.engine, lock))
                    beats.append(beat)

            def guard() -> None:
                for beat in beats:
                    beat.guard()

            yield guard

    def stoppable(self, guard: Guard) -> Guard:
        """Return the guard of a run that may be told to stop as well."""

        def check() -> None:
            if self.stop.is_set():
                raise GeneratorStoppedError(
                    "generate", "the task was told to stop; what it wrote is undone"
                )
            guard()

        return check

    def surroundings(
        self,
        run_key: str = "",
        locks: Sequence[Lock] = (),
        guard: Guard | None = None,
        warnings: list[str] | None = None,
    ) -> Surroundings:
        """Return what a program has around it; without a lock it only plans."""
        around = Surroundings(
            say=self.say, progress=self.progress, stop=self.stop, clock=self.clock
        )
        if guard is None:
            return around
        ends = self.engine.parts.deadlines

        def left() -> float:
            first = min((ends.find(lock) or 0.0) for lock in locks)
            return max(0.0, first - self.clock.monotonic())

        checkpoints = Checkpoints(self.journal, run_key)
        return replace(
            around,
            lease=Lease(guard, left),
            checkpoint=checkpoints.last(),
            remember=checkpoints.remember,
            warn=(lambda _: None) if warnings is None else warnings.append,
        )


def new_run_id(run_key: str) -> RunId:
    """Return a name that no run has had."""
    return RunId(f"{run_key or 'run'}/{uuid4().hex[:12]}")


def new_run(
    lock: Lock, run_id: RunId, level: str, *, document: str = "", set_id: str = ""
) -> Run:
    """Return a run of a document under a lock; it is in no store yet."""
    return Run(
        run_id=run_id,
        tracker_id=lock.tracker_id,
        summary=LEVELS.get(level),
        server=lock.server,
        lineage=lock.lineage or Lineage(""),
        epoch=lock.epoch,
        owner=lock.owner.key,
        digest=document,
        set_id=set_id,
    )
