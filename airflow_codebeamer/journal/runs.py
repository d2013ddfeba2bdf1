"""Which documents were applied to which tracker, and how far that came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from sqlalchemy import RowMapping, select, update

from airflow_codebeamer.database import Database, insert_missing, refused, run_table
from airflow_codebeamer.ids import Epoch, Lineage, RunId, TrackerId
from airflow_codebeamer.journal.entry import JSON

__all__ = ["Level", "Run", "RunState", "Runs"]


class RunState(StrEnum):
    """How far a run came. An open run is one that still has to be ended."""

    PLANNED = "planned"
    APPLYING = "applying"
    DONE = "done"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_INCOMPLETE = "rollback_incomplete"

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to finish it or roll it back."""
        return self in (RunState.PLANNED, RunState.APPLYING)


#: From which states a state may be reached. A run that was rolled back never
#: becomes done: the process that thinks so has been dead to the others.
_BEFORE = {
    RunState.PLANNED: (RunState.PLANNED,),
    RunState.APPLYING: (RunState.PLANNED, RunState.APPLYING),
    RunState.DONE: (RunState.PLANNED, RunState.APPLYING, RunState.DONE),
    RunState.ROLLBACK_INCOMPLETE: (
        RunState.PLANNED,
        RunState.APPLYING,
        RunState.DONE,
        RunState.ROLLBACK_INCOMPLETE,
    ),
    RunState.ROLLED_BACK: tuple(RunState),
}


class Held(Protocol):
    """What is asked of a lock here."""

    @property
    def server(self) -> str: ...
    @property
    def tracker_id(self) -> TrackerId: ...
    @property
    def lineage(self) -> Lineage | None: ...


HeldT = TypeVar("HeldT", bound=Held)


@dataclass(frozen=True)
class Run:
    """One application of a document to a tracker, under one lock.

    `digest` names the document by its owner, `summary` is what to tell people;
    neither may hold a secret. `set_id` is what runs in several trackers share that
    are done as one. Times are set by the store.
    """

    run_id: RunId
    server: str
    tracker_id: TrackerId
    lineage: Lineage
    epoch: Epoch
    owner: str = ""
    state: RunState = RunState.PLANNED
    digest: str = ""
    summary: JSON = None
    opened_at: datetime | None = None
    changed_at: datetime | None = None
    set_id: str = ""


@dataclass(frozen=True)
class Level:
    """What is to become of a run that fails, and what a person said of the rest.

    It is kept in the run's summary, whatever else is written there.
    """

    name: str = ""
    accepted: str = ""

    @classmethod
    def of(cls, run: Run) -> Level:
        """Return what a run's summary says."""
        summary = run.summary if isinstance(run.summary, Mapping) else {}
        return cls(
            str(summary.get("on_failure") or ""), str(summary.get("accepted") or "")
        )

    def to_json(self) -> dict[str, JSON]:
        """Return it for a summary; nothing to say is nothing."""
        said = {"on_failure": self.name, "accepted": self.accepted}
        return {name: value for name, value in said.items() if value}


class Runs:
    """The runs that the store knows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open_run(self, run: Run) -> Run:
        """Write a run down before its first write; return it as stored.

        Opening the same run again is quiet and returns what is stored.

        Raises:
            DatabaseError: the store failed, or the run id belongs to a run on
                another tracker, lineage or epoch.
        """
        with self._database.begin() as connection:
            insert_missing(
                connection,
                run_table,
                run_id=run.run_id,
                server=run.server,
                tracker_id=run.tracker_id,
                lineage=run.lineage,
                epoch=run.epoch,
                owner_key=run.owner,
                state=run.state.value,
                digest=run.digest,
                summary=run.summary,
                set_id=run.set_id,
                opened_at=self._database.now,
                changed_at=self._database.now,
            )
            statement = select(run_table).where(run_table.c.run_id == run.run_id)
            stored = _run(connection.execute(statement).mappings().one())
        if _identity(stored) != _identity(run):
            raise refused(
                f"Run {run.run_id} exists already, on tracker {stored.tracker_id} "
                f"with epoch {stored.epoch}: choose another run id."
            )
        return stored

    def set_state(
        self, run_id: RunId, state: RunState, summary: JSON | None = None
    ) -> None:
        """Record how far a run came; `summary` of None leaves the one there is.

        Setting the same state again is quiet.

        Raises:
            DatabaseError: no such run, or it was ended otherwise meanwhile.
        """
        values: dict[str, Any] = {
            "state": state.value,
            "changed_at": self._database.now,
        }
        if summary is not None:
            values["summary"] = summary
        before = [earlier.value for earlier in _BEFORE[state]]
        statement = (
            update(run_table)
            .where(run_table.c.run_id == run_id, run_table.c.state.in_(before))
            .values(values)
        )
        with self._database.begin() as connection:
            if connection.execute(statement).rowcount == 1:
                return
        found = self.find_run(run_id)
        if found is None:
            raise refused(f"There is no run {run_id}: open it first.")
        raise refused(
            f"Run {run_id} is {found.state.value} and cannot become {state.value}: "
            "somebody else ended it, so look before you go on."
        )

    def set_all_done(self, summaries: Mapping[RunId, JSON]) -> None:
        """Record that several runs ended well: all of them, or none.

        Raises:
            DatabaseError: one was ended otherwise meanwhile; none is recorded.
        """
        before = [earlier.value for earlier in _BEFORE[RunState.DONE]]
        with self._database.begin() as connection:
            for run_id, summary in summaries.items():
                statement = (
                    update(run_table)
                    .where(run_table.c.run_id == run_id, run_table.c.state.in_(before))
                    .values(
                        state=RunState.DONE.value,
                        summary=summary,
                        changed_at=self._database.now,
                    )
                )
                if connection.execute(statement).rowcount != 1:
                    raise refused(
                        f"Run {run_id} was ended by somebody else meanwhile, so none "
                        "of its set is done: look before you go on."
                    )

    def find_run(self, run_id: RunId) -> Run | None:
        """Return the run, or None.

        Raises:
            DatabaseError: the store cannot be read.
        """
        statement = select(run_table).where(run_table.c.run_id == run_id)
        with self._database.read() as connection:
            row = connection.execute(statement).mappings().one_or_none()
        return None if row is None else _run(row)

    def list_open(
        self, server: str, tracker_id: TrackerId, lineage: Lineage | None = None
    ) -> list[Run]:
        """Return the runs that nobody has ended yet, oldest first.

        Raises:
            DatabaseError: the store cannot be read.
        """
        open_states = [state.value for state in RunState if state.is_open]
        statement = (
            select(run_table)
            .where(
                run_table.c.server == server,
                run_table.c.tracker_id == tracker_id,
                run_table.c.state.in_(open_states),
            )
            .order_by(run_table.c.opened_at, run_table.c.run_id)
        )
        if lineage is not None:
            statement = statement.where(run_table.c.lineage == lineage)
        with self._database.read() as connection:
            return [_run(row) for row in connection.execute(statement).mappings()]

    def find_done(
        self, server: str, tracker_id: TrackerId, document: str
    ) -> Run | None:
        """Return the last run of a document, by its name, that ended well.

        Raises:
            DatabaseError: the store cannot be read.
        """
        statement = (
            select(run_table)
            .where(
                run_table.c.server == server,
                run_table.c.tracker_id == tracker_id,
                run_table.c.digest == document,
                run_table.c.state == RunState.DONE.value,
            )
            .order_by(run_table.c.opened_at.desc(), run_table.c.run_id.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(statement).mappings().one_or_none()
        return None if row is None else _run(row)

    def list_set(self, server: str, set_id: str) -> list[Run]:
        """Return the runs that are done and undone as one, oldest first.

        Raises:
            DatabaseError: the store cannot be read.
        """
        statement = (
            select(run_table)
            .where(run_table.c.server == server, run_table.c.set_id == set_id)
            .order_by(run_table.c.opened_at, run_table.c.run_id)
        )
        with self._database.read() as connection:
            return [_run(row) for row in connection.execute(statement).mappings()]

    def newest_first(self, locks: Iterable[HeldT]) -> list[HeldT]:
        """Return locks in the order in which their open runs are to be undone.

        What was written last may point at what was written before it. Locks without
        an open run come last, in the order given.

        Raises:
            DatabaseError: the store cannot be read.
        """
        given = list(locks)
        return sorted(given, key=self._newest, reverse=True) if given[1:] else given

    def _newest(self, lock: Held) -> tuple[float, str]:
        found = self.list_open(lock.server, lock.tracker_id, lock.lineage)
        if lock.lineage is None or not found or found[-1].opened_at is None:
            return 0.0, ""
        return found[-1].opened_at.timestamp(), found[-1].run_id

    def list_lineage(self, lineage: Lineage) -> list[Run]:
        """Return every run under one lineage of locks, oldest first.

        Raises:
            DatabaseError: the store cannot be read.
        """
        statement = (
            select(run_table)
            .where(run_table.c.lineage == lineage)
            .order_by(run_table.c.opened_at, run_table.c.run_id)
        )
        with self._database.read() as connection:
            return [_run(row) for row in connection.execute(statement).mappings()]


def _identity(run: Run) -> tuple[str, int, str, int]:
    return run.server, run.tracker_id, run.lineage, run.epoch


def _run(row: RowMapping) -> Run:
    return Run(
        run_id=RunId(row["run_id"]),
        server=row["server"],
        tracker_id=TrackerId(row["tracker_id"]),
        lineage=Lineage(row["lineage"]),
        epoch=Epoch(row["epoch"]),
        owner=row["owner_key"],
        state=RunState(row["state"]),
        digest=row["digest"],
        summary=row["summary"],
        opened_at=datetime.fromtimestamp(row["opened_at"], UTC),
        changed_at=datetime.fromtimestamp(row["changed_at"], UTC),
        set_id=row["set_id"],
    )
