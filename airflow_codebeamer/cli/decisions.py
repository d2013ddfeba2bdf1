"""`lock break|accept|amend|answer|consistent`: what a person decides, who and why."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from airflow_codebeamer.cli.lock import (
    DRIFT,
    app,
    find_lock,
    lock_line,
    release_line,
)
from airflow_codebeamer.cli.options import Tracker, command
from airflow_codebeamer.cli.session import Session, signed
from airflow_codebeamer.errors import ConfigurationError, LockHeldError
from airflow_codebeamer.ids import Epoch, TrackerId
from airflow_codebeamer.locking import LockState, Recovered, accept_items
from airflow_codebeamer.wiring import Codebeamer

__all__ = ["NEEDS_A_PERSON", "app"]

#: Exit code: something is left that no machine can finish.
NEEDS_A_PERSON = 5

_AT_ONCE = (
    "The holder gets no time to restore by itself. Its generator may write until its "
    "next beat, and what it left half-done is undone here only as far as a journal of "
    "ours knows it."
)

By = Annotated[
    str, typer.Option(help="Who; your account and machine are kept with it.")
]
RoleName = Annotated[str, typer.Option("--role", help="The role, by name or id.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept and shown.")]


@command(app, "break")
def break_lock(
    session: Session,
    tracker: Tracker,
    reason: Reason,
    by: By = "",
    expect_epoch: Annotated[
        int | None,
        typer.Option(min=0, help="The epoch that `lock show` said; else the one now."),
    ] = None,
    now: Annotated[
        bool, typer.Option("--now", help="Leave a living holder no time to restore.")
    ] = False,
) -> int:
    """Take a lock from its owner by force, and put the permissions back.

    A holder who lives gets `break_after` to put everything back by himself. Without
    `--expect-epoch` the lock is broken that stands there now; a person at a terminal is
    shown it first, and exit code 64 says which command to type.
    """
    number = TrackerId(tracker)
    with session.connect() as codebeamer:
        epoch = expect_epoch
        if epoch is None:
            epoch = _epoch_now(session, codebeamer, number)
        if now:
            session.out.say(_AT_ONCE)
        report = codebeamer.engine.break_lock(
            number,
            expect_epoch=Epoch(epoch),
            by=signed(by),
            reason=reason,
            at_once=now,
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

    For when a new lock is refused because roles look like what a lock of ours leaves,
    though somebody set them so: that nobody but the generators may write, say. Said
    once, it is remembered. Changes nothing on the server.
    """
    number = TrackerId(tracker)
    with session.connect() as codebeamer:
        is_accepted = codebeamer.engine.accept_permissions(
            number, by=signed(by), reason=reason
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


@command(app, "amend")
def amend(
    session: Session,
    tracker: Tracker,
    role: RoleName,
    reason: Reason,
    add: Annotated[
        list[str] | None, typer.Option(help="A permission that it is to get too.")
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option(help="A permission that it is not to get back.")
    ] = None,
    by: By = "",
) -> int:
    """Change what a role gets back when the lock that is held now ends.

    For an administrator who wants to take a right from a role that the lock has
    taken already: in Codebeamer there is nothing left to take.
    """
    with session.connect() as codebeamer:
        codebeamer.engine.amend(
            TrackerId(tracker),
            role,
            add=add or (),
            remove=remove or (),
            by=signed(by),
            reason=reason,
        )
    document = {"tracker_id": tracker, "role": role, "add": add, "remove": remove}
    session.out.result(
        document, [f"Tracker {tracker}: role {role} is amended, for the release."]
    )
    return 0


@command(app, "answer")
def answer(
    session: Session,
    tracker: Tracker,
    role: RoleName,
    take: Annotated[str, typer.Option(help="What it gets: merge, exact or keep.")],
    reason: Reason,
    by: By = "",
) -> int:
    """Say what becomes of a role that waits for a person, and go on with the restore.

    `merge` is its original with what others changed, `exact` its original alone,
    `keep` what it has now. Exit code 5: other roles wait still.
    """
    number = TrackerId(tracker)
    with session.connect() as codebeamer:
        codebeamer.engine.answer(number, role, take=take, by=signed(by), reason=reason)
        recovered = codebeamer.recovery.recover(tracker_id=number)
    lines = [f"Tracker {tracker}: role {role} gets {take}."]
    lines += [_outcome(one) for one in recovered]
    session.out.result(
        {
            "tracker_id": tracker,
            "role": role,
            "take": take,
            "recovered": [one.to_json() for one in recovered],
        },
        lines,
    )
    return NEEDS_A_PERSON if any(one.needs_a_person for one in recovered) else 0


@command(app, "accept-items")
def accept_left_items(
    session: Session, tracker: Tracker, reason: Reason, by: By = ""
) -> int:
    """Leave the items of a quarantined tracker as they are, and free it.

    For when a run could not be undone whole and its document says
    `on_failure: restore_or_keep_locked`; `lock show` says what is left of it.
    Exit code 5: the permissions are not all back.
    """
    number, name = TrackerId(tracker), signed(by)
    with session.connect() as codebeamer:
        lock = find_lock(codebeamer.status, session.server, number)
        left = [] if lock is None else codebeamer.status.list_quarantine(lock)
        if lock is None or not left:
            raise ConfigurationError("TRACKER", f"tracker {tracker} is not quarantined")
        codebeamer.quarantine.accept(lock.lineage, f"{name}: {reason}")
        accept_items(codebeamer.engine.parts.history, lock, by=name, reason=reason)
        recovered = codebeamer.recovery.recover(tracker_id=number)
    lines = [f"Stays as it is: {line}" for line in left]
    lines += [_outcome(one) for one in recovered]
    session.out.result(
        {
            "tracker_id": tracker,
            "left": left,
            "recovered": [one.to_json() for one in recovered],
        },
        lines,
    )
    return NEEDS_A_PERSON if any(one.needs_a_person for one in recovered) else 0


@command(app, "consistent")
def consistent(session: Session, tracker: Tracker, reason: Reason, by: By = "") -> int:
    """Say that you have looked at a tracker in which a holder died, and it is well.

    Until then everybody who takes its lock is told of it.
    """
    number = TrackerId(tracker)
    with session.connect() as codebeamer:
        is_marked = codebeamer.engine.mark_consistent(
            number, by=signed(by), reason=reason
        )
    nothing = f"Tracker {tracker}: nobody died there that you have to answer for."
    session.out.result(
        {"tracker_id": tracker, "consistent": is_marked},
        [f"Tracker {tracker} counts as consistent." if is_marked else nothing],
    )
    return 0


def _epoch_now(session: Session, codebeamer: Codebeamer, number: TrackerId) -> int:
    """Return the epoch of the lock as it is now, and say so.

    Raises:
        ConfigurationError: a person is at the terminal, who is to look first.
    """
    lock = codebeamer.status.find(codebeamer.settings.server.base, number)
    if lock is None or lock.state is LockState.FREE:
        return 0
    if sys.stdin.isatty() and sys.stdout.isatty():
        raise ConfigurationError(
            "--expect-epoch",
            f"{lock_line(lock)} To break exactly this one, type the command again with "
            f"--expect-epoch {lock.epoch}",
        )
    session.out.say(f"Breaking what is there now: {lock_line(lock)}")
    return lock.epoch


def _outcome(one: Recovered) -> str:
    return one.error if one.report is None else release_line(one.report)
