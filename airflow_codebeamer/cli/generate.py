"""`plan`, `apply` and `rollback`: documents and generators without Airflow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from uuid import uuid4

import typer

from airflow_codebeamer.cli.lock import release_line
from airflow_codebeamer.cli.options import command
from airflow_codebeamer.cli.session import Session, who
from airflow_codebeamer.cli.source import (
    Arguments,
    DocumentPath,
    Generator,
    SetOption,
    Source,
    TrackerOption,
    WhereOption,
    find_source,
)
from airflow_codebeamer.cli.spans import span, written
from airflow_codebeamer.errors import CodebeamerError, ConfigurationError
from airflow_codebeamer.generator import RunSummary, TimeLeft
from airflow_codebeamer.ids import RunId
from airflow_codebeamer.locking import Lock, Owner
from airflow_codebeamer.skeleton import Plan, Progress
from airflow_codebeamer.wiring import Codebeamer

__all__ = ["CHANGES", "register"]

#: Exit code of `plan`: there is something to do.
CHANGES = 2


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    command(app, "plan")(plan)
    command(app, "apply")(apply)
    command(app, "rollback")(rollback)


def plan(
    session: Session,
    document: DocumentPath = None,
    generator: Generator = "",
    arg: Arguments = None,
    tracker: TrackerOption = None,
    values: SetOption = None,
    where: WhereOption = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="As Markdown, for a ticket.")
    ] = False,
) -> int:
    """Say what apply would do. Exit code 2: there are changes."""
    with session.connect() as codebeamer:
        source = find_source(
            codebeamer, document, generator, arg, tracker, values, where
        )
        _, wanted = codebeamer.runner.plan(source.what, source.args, source.tracker_id)
        server = codebeamer.settings.server
    seconds = wanted.seconds(server.requests_per_second, server.requests_per_minute)
    lines = [wanted.markdown() if markdown else wanted.text()]
    if seconds:
        takes = written(seconds)
        lines.append(f"At this account's pace that takes {takes} under the lock.")
    session.out.result({**wanted.to_json(), "seconds": round(seconds, 1)}, lines)
    return 0 if wanted.is_empty else CHANGES


def apply(
    session: Session,
    document: DocumentPath = None,
    generator: Generator = "",
    arg: Arguments = None,
    tracker: TrackerOption = None,
    values: SetOption = None,
    where: WhereOption = None,
    owner: Annotated[str, typer.Option(help="Whose lock it is while it runs.")] = "",
    wait: Annotated[str, typer.Option(help="How long to wait, like 5m.")] = "",
    reason: Annotated[str, typer.Option(help="What for; others see it.")] = "",
) -> int:
    """Lock, apply, verify, release; undo everything if that fails."""
    waits = span(wait, option="--wait") if wait else None
    with session.connect(progress=_Shown(session)) as codebeamer:
        source = find_source(
            codebeamer, document, generator, arg, tracker, values, where
        )
        described, wanted = codebeamer.runner.plan(
            source.what, source.args, source.tracker_id
        )
        if wanted.is_empty:
            _tell(
                session,
                source,
                wanted,
                RunSummary(unchanged=wanted.counts["unchanged"]),
            )
            return 0
        run_key = f"cli/{uuid4().hex[:12]}"
        lock = codebeamer.engine.acquire(
            source.tracker_id,
            owner=Owner.here(owner or _owner(run_key), run=run_key),
            reason=reason or f"apply {source.name}",
            wait_for=waits,
        )
        with _released(session, codebeamer, lock) as released:
            summary = codebeamer.runner.apply(
                described,
                {},
                source.tracker_id,
                lock,
                run_key=run_key,
                planned=wanted,
            )
    _tell(session, source, wanted, summary, released)
    return 0


def rollback(
    session: Session,
    run: Annotated[str, typer.Argument(help="The run's id.")],
    reason: Annotated[str, typer.Option(help="What for; others see it.")] = "",
) -> int:
    """Lock the tracker and put back what one run changed."""
    with session.connect() as codebeamer:
        found = codebeamer.runs.find_run(RunId(run))
        if found is None or found.server != codebeamer.settings.server.base:
            raise ConfigurationError("RUN", f"the store knows no run {run!r}")
        lock = codebeamer.engine.acquire(
            found.tracker_id,
            owner=Owner.here(_owner(f"rollback/{run}")),
            reason=reason or f"rollback of {run}",
        )
        with _released(session, codebeamer, lock) as released:
            report = codebeamer.runner.roll_back(found, lock)
    lines = [f"{len(report.undone)} changes undone."]
    lines += [f"NOT undone: {line}" for line in report.left]
    session.out.result(
        {
            "run": run,
            "undone": report.undone,
            "left": report.left,
            "released": released,
        },
        [*lines, *_release_lines(released)],
    )
    return 1 if report.left else 0


class _Shown:
    """Shows the progress of a run on stderr."""

    def __init__(self, session: Session) -> None:
        self._out = session.out
        self._time_left = TimeLeft()

    def __call__(self, progress: Progress) -> None:
        line = self._time_left.tell(progress)
        if progress.total:
            self._out.report(line, is_last=progress.done >= progress.total)


@contextmanager
def _released(
    session: Session, codebeamer: Codebeamer, lock: Lock
) -> Iterator[list[dict[str, Any]]]:
    """Release the lock in the end, whatever happened; yields where to find how."""
    released: list[dict[str, Any]] = []
    try:
        yield released
    except BaseException as error:
        try:
            _release(session, codebeamer, lock)
        except CodebeamerError as trouble:
            error.add_note(f"The lock is not released yet: {trouble}")
        raise
    released.append(_release(session, codebeamer, lock))


def _release(session: Session, codebeamer: Codebeamer, lock: Lock) -> dict[str, Any]:
    report = codebeamer.engine.release(
        lock.tracker_id, owner_key=lock.owner.key, epoch=lock.epoch
    )
    session.out.say(release_line(report))
    report.require()
    return report.to_json()


def _release_lines(released: list[dict[str, Any]]) -> list[str]:
    return [
        f"Others changed permissions: {line}" for r in released for line in r["drift"]
    ]


def _owner(run_key: str) -> str:
    return f"{who()}/{run_key}"


def _tell(
    session: Session,
    source: Source,
    wanted: Plan,
    summary: RunSummary,
    released: list[dict[str, Any]] | None = None,
) -> None:
    document = {
        "tracker_id": source.tracker_id,
        "is_empty": wanted.is_empty,
        "summary": summary.to_json(),
        "released": released or [],
    }
    if wanted.is_empty:
        lines = [f"Nothing to do, tracker {source.tracker_id} was not locked."]
    else:
        lines = [
            f"Tracker {source.tracker_id}: {summary.created} created, "
            f"{summary.updated} updated, {summary.moved} moved, "
            f"{summary.unchanged} unchanged, {summary.pruned} pruned; "
            f"{summary.requests} requests in {summary.seconds:.1f} s.",
            f"`airflow-codebeamer rollback {summary.run_id}` would undo it.",
        ]
    lines += [f"Warning: {warning}" for warning in summary.warnings]
    session.out.result(document, [*lines, *_release_lines(released or [])])
