"""`recover`: finishes what crashed processes left."""

from __future__ import annotations

from typing import Annotated

import typer

from airflow_codebeamer.cli.decisions import NEEDS_A_PERSON
from airflow_codebeamer.cli.lock import lock_line, release_line
from airflow_codebeamer.cli.options import OptionalTracker, command
from airflow_codebeamer.cli.session import Session
from airflow_codebeamer.cli.shown import lock_document
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Recovered

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    command(app, "recover")(recover)


def recover(
    session: Session,
    tracker: OptionalTracker = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, do nothing.")
    ] = False,
) -> int:
    """Finish every expired or half-done lock: undo its run, restore, free.

    Exit code 5: something needs a person.
    """
    with session.connect() as codebeamer:
        recovered = codebeamer.recovery.recover(
            dry_run=dry_run, tracker_id=None if tracker is None else TrackerId(tracker)
        )
        held = codebeamer.status.list_locks(codebeamer.settings.server.base)
        documents = [lock_document(codebeamer.status, lock) for lock in held]
    document = {
        "dry_run": dry_run,
        "recovered": [one.to_json() for one in recovered],
        "held": documents,
    }
    lines = [_line(one) for one in recovered] or ["Nothing to recover."]
    lines += [f"Still: {lock_line(lock)}" for lock in held]
    session.out.result(document, lines)
    return NEEDS_A_PERSON if any(one.needs_a_person for one in recovered) else 0


def _line(one: Recovered) -> str:
    line = f"Tracker {one.tracker_id}, {one.state.value} by {one.owner}: {one.action}."
    if one.report is not None:
        line += f" {release_line(one.report)}"
    return f"{line} {one.error}" if one.error else line
