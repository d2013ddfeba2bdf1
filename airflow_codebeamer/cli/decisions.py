"""`lock break|accept`: what only a person decides about a lock, who and why."""

from __future__ import annotations

from typing import Annotated

import typer

from airflow_codebeamer.cli.lock import DRIFT, app, find_lock, release_line
from airflow_codebeamer.cli.options import Tracker, command
from airflow_codebeamer.cli.session import Session, who
from airflow_codebeamer.errors import LockHeldError
from airflow_codebeamer.ids import Epoch, TrackerId
from airflow_codebeamer.locking import LockState

__all__ = ["app"]

By = Annotated[str, typer.Option(help="Who; you, without it.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept and shown.")]


@command(app, "break")
def break_lock(
    session: Session,
    tracker: Tracker,
    reason: Reason,
    by: By = "",
    expect_epoch: Annotated[
        int | None, typer.Option(min=0, help="Only if the lock still has this epoch.")
    ] = None,
) -> int:
    """Take a lock from its owner by force, and put the permissions back."""
    with session.connect() as codebeamer:
        report = codebeamer.engine.break_lock(
            TrackerId(tracker),
            by=by or who(),
            reason=reason,
            expect_epoch=None if expect_epoch is None else Epoch(expect_epoch),
        )
    session.out.result(report.to_json(), [release_line(report)])
    return DRIFT if report.drift else 0


@command(app, "accept")
def accept(
    session: Session,
    tracker: Tracker,
    reason: Reason,
    by: By = "",
) -> int:
    """Say that a free tracker's permissions are meant as they are.

    For when a new lock is refused because a role's rights look like what our
    last lock left, though somebody set them so. Changes nothing on the server.
    """
    number = TrackerId(tracker)
    with session.connect() as codebeamer:
        is_accepted = codebeamer.engine.accept_permissions(
            number, by=by or who(), reason=reason
        )
        lock = (
            None
            if is_accepted
            else find_lock(codebeamer.status, session.server, number)
        )
    if lock is not None and lock.state is not LockState.FREE:
        raise LockHeldError(
            tracker,
            owner=lock.owner.key,
            since=lock.acquired_at,
            deadline=lock.lease_until,
            reason=lock.reason,
        )
    line = f"Tracker {tracker}: its permissions count as meant from now on."
    nothing = f"Tracker {tracker} was never locked; there is nothing to accept."
    session.out.result(
        {"tracker_id": tracker, "accepted": is_accepted},
        [line if is_accepted else nothing],
    )
    return 0
