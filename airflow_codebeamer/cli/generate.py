"""`plan`, `apply` and `rollback`: documents and generators without Airflow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import uuid4

import typer

from airflow_codebeamer.cli.held import holding, release_lines
from airflow_codebeamer.cli.options import command
from airflow_codebeamer.cli.session import Session, who
from airflow_codebeamer.cli.source import (
    Arguments,
    DocumentPath,
    Generator,
    SetOption,
    TrackerOption,
    WhereOption,
    Work,
    find_source,
)
from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.generator import RunSummary, TimeLeft
from airflow_codebeamer.ids import RunId
from airflow_codebeamer.journal import Run
from airflow_codebeamer.locking import Owner
from airflow_codebeamer.skeleton import Progress
from airflow_codebeamer.spans import span, written
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
        wanted = source.prepare(codebeamer).planned
        server = codebeamer.settings.server
    if wanted is None:
        raise ConfigurationError(
            "--generator",
            "the program writes to Codebeamer itself, so there is no plan of what it "
            "will do; `apply` runs it under a lock",
        )
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
        work = source.prepare(codebeamer)
        if work.planned is not None and work.planned.is_empty:
            unchanged = work.planned.counts["unchanged"]
            _tell(session, work, RunSummary(unchanged=unchanged))
            return 0
        run_key = f"cli/{uuid4().hex[:12]}"
        with holding(
            session,
            codebeamer,
            work.tracker_ids,
            owner=Owner.here(owner or _owner(run_key), run=run_key),
            reason=reason or f"apply {source.name}",
            wait_for=waits,
        ) as held:
            summary = work.apply(codebeamer, held.locks, run_key)
    _tell(session, work, summary, held.released)
    return 0


def rollback(
    session: Session,
    run: Annotated[str, typer.Argument(help="The run's id.")],
    reason: Annotated[str, typer.Option(help="What for; others see it.")] = "",
) -> int:
    """Lock the tracker and put back what one run changed, in all its trackers."""
    with session.connect() as codebeamer:
        runs = _runs(codebeamer, run)
        with holding(
            session,
            codebeamer,
            sorted({one.tracker_id for one in runs}),
            owner=Owner.here(_owner(f"rollback/{run}")),
            reason=reason or f"rollback of {run}",
        ) as held:
            report = codebeamer.runner.roll_back_all(runs, held.locks)
    lines = [f"{len(report.undone)} changes undone."]
    lines += [f"NOT undone: {line}" for line in report.left]
    session.out.result(
        {
            "run": run,
            "undone": report.undone,
            "left": report.left,
            "released": held.released,
        },
        [*lines, *release_lines(held.released)],
    )
    return 1 if report.left else 0


def _runs(codebeamer: Codebeamer, name: str) -> list[Run]:
    """Return the run of a name with those that are undone as one with it."""
    server = codebeamer.settings.server.base
    found = codebeamer.runs.find_run(RunId(name))
    alone = [found] if found is not None and found.server == server else []
    set_id = name if found is None else found.set_id
    runs = (codebeamer.runs.list_set(server, set_id) if set_id else []) or alone
    if not runs:
        raise ConfigurationError("RUN", f"the store knows no run {name!r}")
    return runs


class _Shown:
    """Shows the progress of a run on stderr."""

    def __init__(self, session: Session) -> None:
        self._out = session.out
        self._time_left = TimeLeft()

    def __call__(self, progress: Progress) -> None:
        line = self._time_left.tell(progress)
        if progress.total:
            self._out.report(line, is_last=progress.done >= progress.total)


def _owner(run_key: str) -> str:
    return f"{who()}/{run_key}"


def _tell(
    session: Session,
    work: Work,
    summary: RunSummary,
    released: Sequence[dict[str, Any]] = (),
) -> None:
    one, *others = work.tracker_ids
    is_empty = work.planned is not None and work.planned.is_empty
    document = {
        **({"tracker_ids": work.tracker_ids} if others else {"tracker_id": one}),
        "is_empty": is_empty,
        "summary": summary.to_json(),
        "released": list(released),
    }
    trackers = ", ".join(map(str, work.tracker_ids))
    where = f"racker{'s' if others else ''} {trackers}"
    if is_empty:
        lines = [f"Nothing to do, t{where} {'were' if others else 'was'} not locked."]
    else:
        lines = [
            f"T{where}: {summary.created} created, "
            f"{summary.updated} updated, {summary.moved} moved, "
            f"{summary.unchanged} unchanged, {summary.pruned} pruned; "
            f"{summary.requests} requests in {summary.seconds:.1f} s."
        ]
        if work.planned is not None:
            undo = f"`airflow-codebeamer rollback {summary.run_id}` would undo it."
            lines.append(undo)
    lines += [f"Warning: {warning}" for warning in summary.warnings]
    session.out.result(document, [*lines, *release_lines(released)])
