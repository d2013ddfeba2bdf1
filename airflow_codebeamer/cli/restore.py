"""`restore`: a tracker back to its own permissions when the lock store is lost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from airflow_codebeamer.cli.escrow import read_escrows
from airflow_codebeamer.cli.lock import DRIFT, release_line
from airflow_codebeamer.cli.options import OptionalTracker, command
from airflow_codebeamer.cli.session import Session, signed
from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Escrow, Salvage, choose_escrow, read_escrow
from airflow_codebeamer.wiring import Codebeamer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    command(app, "restore")(restore)


def restore(
    session: Session,
    tracker: OptionalTracker = None,
    from_escrow: Annotated[
        Path | None,
        typer.Option(help="A log of the task that took the lock, or an escrow file."),
    ] = None,
    from_notice: Annotated[
        bool,
        typer.Option(
            "--from-notice", help="The file that hangs on its notice instead."
        ),
    ] = False,
    reason: Annotated[str, typer.Option(help="Why; it is kept and shown.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, do nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> int:
    """Put a tracker's permissions back from escrow, when the lock store is lost.

    Any store will do, also a new one. Refused if it knows somebody who holds the
    tracker: then `recover` or `lock break` is the way. Exit code 4: others had
    changed permissions meanwhile.
    """
    number = None if tracker is None else TrackerId(tracker)
    with session.connect() as codebeamer:
        where, escrows = _read(codebeamer, number, from_escrow, from_notice=from_notice)
        escrow = choose_escrow(escrows, where, codebeamer.settings.server.base, number)
        salvage = Salvage(codebeamer.engine.parts, escrow)
        plan = salvage.plan()
        document = {
            "tracker_id": escrow.tracker_id,
            "lineage": escrow.lineage,
            "epoch": escrow.epoch,
            "owner": escrow.owner,
            "roles": plan.roles,
            "unchanged": plan.unchanged,
        }
        if dry_run:
            session.out.result({**document, "dry_run": True}, plan.lines())
            return 0
        if not yes:
            _ask(session, plan.lines())
        report = salvage.run(by=signed(), reason=reason)
    session.out.result({**document, "report": report.to_json()}, [release_line(report)])
    return DRIFT if report.drift else 0


def _read(
    codebeamer: Codebeamer,
    tracker_id: TrackerId | None,
    file: Path | None,
    *,
    from_notice: bool,
) -> tuple[str, list[Escrow]]:
    """Return the escrows of the one place that was named."""
    if from_notice == (file is not None):
        raise ConfigurationError(
            "--from-escrow",
            "give the log of the task that took the lock, or --from-notice",
        )
    if file is not None:
        return str(file), read_escrows(file)
    if tracker_id is None:
        raise ConfigurationError("--from-notice", "say the tracker's number too")
    return "its notice", read_escrow(codebeamer.engine.parts, tracker_id)


def _ask(session: Session, lines: list[str]) -> None:
    """Show what would be done, and go on only after a yes."""
    for line in lines:
        session.out.say(line)
    if not sys.stdin.isatty():
        raise ConfigurationError("--yes", "say it where nobody can be asked")
    typer.confirm("Give these rights back?", abort=True, err=True)
