"""`lock acquire|release|list|show|history|certificate`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from airflow_codebeamer.cli.options import Tracker, command, mapping
from airflow_codebeamer.cli.queue import waiting_document, waiting_lines
from airflow_codebeamer.cli.session import Session
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

__all__ = ["DRIFT", "app", "find_lock", "lock_document", "lock_line", "release_line"]

#: Exit code: restored, but the permissions were not as we had left them.
DRIFT = 4

#: What `lock show` says in other words than the document.
_AS_SENTENCES = ("owner_died", "waiting", "unanswered")

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
    session.out.result(
        {"locks": [lock_document(lock) for lock in taken]}, map(lock_line, taken)
    )
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
    if not shown and not session.out.is_json:
        session.out.result(None, ["No tracker is locked."])
        return 0
    session.out.table(
        {
            "locks": [
                {**lock_document(lock), "is_quarantined": lock in held_back}
                for lock in shown
            ]
        },
        ("tracker", "state", "owner", "since", "until", "reason", "server"),
        [
            (
                str(lock.tracker_id),
                "quarantined" if lock in held_back else lock.state.value,
                lock.owner.key,
                _moment(lock.acquired_at),
                _moment(lock.lease_until),
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
        heir = "" if lock is None else _heir(store.status, lock)
        waiting = store.status.list_tickets(
            session.server or (lock.server if lock else None), TrackerId(tracker)
        )
        more = {} if lock is None else _more(store.status, lock)
    if lock is None:
        session.out.result(
            {"tracker_id": tracker, "state": LockState.FREE.value},
            [f"Tracker {tracker} is free and was never locked."],
        )
        return 0
    document = {**lock_document(lock), **more, "waiting": waiting_document(waiting)}
    lines = [
        f"{name:<15} {_words(value)}"
        for name, value in document.items()
        if value and name not in _AS_SENTENCES
    ]
    lines += waiting_lines(waiting)
    lines += [
        f"Role {one['role']} waits for an answer ({one['what']}): say "
        f"`{one['command']}`."
        for one in more["unanswered"]
    ]
    if lock.owner_died and not heir:
        said = f"say `airflow-codebeamer lock consistent {tracker} --reason TEXT`"
        lines.append(
            f"A holder died while it had the tracker: look at it, then {said}."
        )
    if heir:
        lines.append(f"Its owner did not release it; {heir} is to put the rights back.")
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
                _words(event.detail),
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


def lock_document(lock: Lock) -> dict[str, Any]:
    """Return a lock as JSON: the handle, and what people ask besides."""
    document = {**lock.handle(), "owner_died": lock.owner_died}
    if lock.breaking is not None:
        document["breaking"] = {
            "by": lock.breaking.by,
            "reason": lock.breaking.reason,
            "until": lock.breaking.until,
        }
    if lock.hold_until is not None:
        document["hold_until"] = lock.hold_until
    return document


def lock_line(lock: Lock) -> str:
    """Return a lock as one line."""
    return (
        f"Tracker {lock.tracker_id} is {lock.state.value} by {lock.owner.key} "
        f"until {_moment(lock.lease_until)} (epoch {lock.epoch})."
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


def _more(status: LockStatus, lock: Lock) -> dict[str, list[Any]]:
    """Return what the journal and the history say of a lock besides its record."""
    return {
        "shared_by": [
            f"{one.owner.key} until {_moment(one.lease_until)}"
            for one in status.list_sharers(lock)
        ],
        "owed": status.list_owed(lock),
        "quarantine": status.list_quarantine(lock),
        "unanswered": [
            {
                "role": one.role,
                "what": one.what,
                "command": one.command(lock.tracker_id),
            }
            for one in status.list_questions(lock)
        ],
        "drift": [str(drift) for drift in status.list_drift(lock)],
    }


def _heir(status: LockStatus, lock: Lock) -> str:
    """Return who took the restore over from the owner, empty if nobody did."""
    if not lock.owner_died or lock.state is not LockState.RESTORING:
        return ""
    takers = [
        event.who
        for event in status.history(lock.server, lock.tracker_id)
        if event.kind == "take_over" and event.lineage == lock.lineage
    ]
    return next((who for who in reversed(takers) if who != lock.owner.key), "")


def _words(value: Any) -> str:
    """Return a value for people: mappings as `name: value`, what is empty left out."""
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {_words(v)}" for k, v in value.items() if v)
    if isinstance(value, list | tuple):
        return ", ".join(map(_words, value))
    return str(value)


def _moment(moment: Any) -> str:
    return "" if moment is None else moment.isoformat(timespec="seconds")
