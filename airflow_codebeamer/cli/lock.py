"""`lock acquire|release|list|show|history|certificate`."""

from __future__ import annotations

from typing import Annotated

import typer

from airflow_codebeamer.cli.options import Tracker, command, mapping
from airflow_codebeamer.cli.session import Session
from airflow_codebeamer.cli.shown import (
    in_words,
    lock_document,
    moment,
    show_document,
    show_lines,
)
from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import (
    Certificate,
    Lock,
    LockState,
    LockStatus,
    Owner,
    ReleaseReport,
)
from airflow_codebeamer.spans import span

__all__ = ["DRIFT", "app", "find_lock", "lock_line", "release_line"]

#: Exit code: restored, but the permissions were not as we had left them.
DRIFT = 4

app = typer.Typer(help="Take, look at and give back the locks of trackers.")

OwnerName = Annotated[
    str, typer.Option("--owner", help="Whose lock it is; the same name gets it again.")
]


@command(app, "acquire")
def acquire(
    session: Session,
    trackers: Annotated[list[int], typer.Argument(min=1, help="Trackers' numbers.")],
    owner: OwnerName,
    lease: Annotated[str, typer.Option(help="How long it lasts, like 30m.")] = "",
    wait: Annotated[str, typer.Option(help="How long to wait, like 5m.")] = "",
    reason: Annotated[str, typer.Option(help="What for; others see it.")] = "",
    priority: Annotated[
        int, typer.Option(help="Who waits with a higher one goes first.")
    ] = 0,
    restore_policy: Annotated[
        str, typer.Option(help="Of changes of others: merge, exact, keep or ask.")
    ] = "",
    mode: Annotated[
        str, typer.Option(help="exclusive, or freeze: nobody may write, others join.")
    ] = "exclusive",
    strategy_options: Annotated[
        str, typer.Option(help='What the strategy has to know, like {"items": [1]}.')
    ] = "",
) -> int:
    """Take the locks of trackers, all of them or none."""
    lasts = span(lease, option="--lease") if lease else None
    waits = span(wait, option="--wait") if wait else None
    with session.connect() as codebeamer:
        taken = codebeamer.engine.acquire_all(
            [TrackerId(number) for number in trackers],
            owner=Owner.here(owner),
            reason=reason,
            lease=lasts,
            wait_for=waits,
            priority=priority,
            restore_policy=restore_policy or None,
            mode=mode,
            options=mapping(strategy_options, option="--strategy-options"),
        )
        document = [lock_document(codebeamer.status, lock) for lock in taken]
    session.out.result({"locks": document}, map(lock_line, taken))
    return 0


@command(app, "release")
def release(
    session: Session,
    owner: OwnerName,
    trackers: Annotated[
        list[int] | None, typer.Argument(min=1, help="Trackers; all without any.")
    ] = None,
) -> int:
    """Restore and release what an owner holds; nothing held is success."""
    wanted = None if not trackers else [TrackerId(number) for number in trackers]
    with session.connect() as codebeamer:
        reports = codebeamer.engine.release_all(
            owner_key=owner, tracker_ids=wanted, judge=False
        )
    nothing = f"{owner} holds nothing"
    lines = [release_line(report) for report in reports] or [nothing]
    session.out.result({"released": [r.to_json() for r in reports]}, lines)
    for report in reports:
        report.require()
    return DRIFT if any(report.drift for report in reports) else 0


@command(app, "list")
def list_locks(session: Session) -> int:
    """Say who holds which tracker, since when, until when, and why."""
    with session.open_store() as store:
        shown = store.status.list_locks(session.server or None)
        held_back = [lock for lock in shown if store.status.list_quarantine(lock)]
        documents = [
            {**lock_document(store.status, lock), "is_quarantined": lock in held_back}
            for lock in shown
        ]
    if not shown and not session.out.is_json:
        session.out.result(None, ["No tracker is locked."])
        return 0
    session.out.table(
        {"locks": documents},
        ("tracker", "state", "owner", "since", "until", "reason", "server"),
        [
            (
                str(lock.tracker_id),
                "quarantined" if lock in held_back else lock.state.value,
                lock.owner.key,
                moment(lock.acquired_at),
                moment(lock.lease_until),
                lock.reason,
                lock.server,
            )
            for lock in shown
        ],
    )
    return 0


@command(app, "show")
def show(session: Session, tracker: Tracker) -> int:
    """Say everything about the lock of one tracker."""
    with session.open_store() as store:
        lock = find_lock(store.status, session.server, TrackerId(tracker))
        document = {} if lock is None else show_document(store.status, lock)
        lines = [] if lock is None else [*show_lines(store.status, lock, document)]
    if lock is None:
        document = {"tracker_id": tracker, "state": LockState.FREE.value}
        lines = [f"Tracker {tracker} is free and was never locked."]
    session.out.result(document, lines)
    return 0


@command(app, "history")
def history(session: Session, tracker: Tracker) -> int:
    """Say what happened to the lock of one tracker, the oldest first."""
    number = TrackerId(tracker)
    with session.open_store() as store:
        lock = find_lock(store.status, session.server, number)
        events = [] if lock is None else store.status.history(lock.server, number)
    session.out.table(
        {"tracker_id": tracker, "events": events},
        ("when", "epoch", "what", "who", "detail"),
        [
            (
                event.at.isoformat(timespec="seconds"),
                str(event.epoch),
                event.kind,
                event.who,
                in_words(event.detail),
            )
            for event in events
        ],
    )
    return 0


@command(app, "certificate")
def certificate(session: Session, tracker: Tracker) -> int:
    """Say what others changed in one tracker while it was locked, lock by lock.

    Exit code 4: the last certificate is not clean. Empty unless the setting
    `certificate` was on when the lock was taken.
    """
    number = TrackerId(tracker)
    with session.open_store() as store:
        lock = find_lock(store.status, session.server, number)
        found = (
            [] if lock is None else store.status.list_certificates(lock.server, number)
        )
    lines = [line for one in found for line in _certificate_lines(one)]
    nothing = f"Tracker {tracker} has no certificate: was the setting on?"
    session.out.result(
        {"tracker_id": tracker, "certificates": [one.to_json() for one in found]},
        lines or [nothing],
    )
    return DRIFT if found and not found[-1].is_clean else 0


def find_lock(status: LockStatus, server: str, tracker_id: TrackerId) -> Lock | None:
    """Return a tracker's record; without a server, the only one that is locked.

    Raises:
        ConfigurationError: no server is named, and several trackers fit, or none.
    """
    if server:
        return status.find(server, tracker_id)
    found = [lock for lock in status.list_locks() if lock.tracker_id == tracker_id]
    if len(found) != 1:
        servers = ", ".join(lock.server for lock in found) or "none"
        raise ConfigurationError(
            "--url", f"say which server; tracker {tracker_id} is locked on: {servers}"
        )
    return found[0]


def lock_line(lock: Lock) -> str:
    """Return a lock as one line."""
    return (
        f"Tracker {lock.tracker_id} is {lock.state.value} by {lock.owner.key} "
        f"until {moment(lock.lease_until)} (epoch {lock.epoch})."
    )


def release_line(report: ReleaseReport) -> str:
    """Return a release as one line."""
    tracker = f"Tracker {report.tracker_id}"
    if not report.released:
        return f"{tracker}: nothing to release, {report.why}."
    if report.why:
        return f"{tracker} is free: {report.why}."
    roles = ", ".join(report.restored) or "no role needed it"
    line = f"{tracker} is free; put back: {roles}."
    if report.undone:
        line += f" Undone: {len(report.undone)} changes of a run that had not ended."
    if report.not_undone:
        line += f" NOT undone: {'; '.join(report.not_undone)}."
    if report.jobs:
        line += f" {'; '.join(report.jobs)}."
    if report.certificate is not None:
        line += f" Certificate: {report.certificate.sentence}."
    if report.drift:
        line += f" Others changed permissions meanwhile: {'; '.join(report.drift)}."
    return line


def _certificate_lines(one: Certificate) -> list[str]:
    head = f"{one.owner}, {one.began[:19]} to {one.ended[:19]}: {one.sentence}."
    return [head, *(f"  {change}" for change in one.changes)]
