"""`lock queue|leave|reorder`: who waits for a tracker, in which order, and an end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from airflow_codebeamer.cli.options import OptionalTracker, command
from airflow_codebeamer.cli.session import Session, signed
from airflow_codebeamer.cli.spans import lock_settings
from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Ticket, positions

__all__ = ["register", "waiting_document", "waiting_lines"]


def register(app: typer.Typer) -> None:
    """Add the commands to the group of those on locks."""
    command(app, "queue")(queue)
    command(app, "leave")(leave)
    command(app, "reorder")(reorder)


def queue(session: Session, tracker: OptionalTracker = None) -> int:
    """Say who waits for a tracker, or for any: in which order, since when, for what."""
    with session.open_store() as store:
        tickets = store.status.list_tickets(
            session.server or None, None if tracker is None else TrackerId(tracker)
        )
    if not tickets and not session.out.is_json:
        session.out.result(None, ["Nobody waits."])
        return 0
    turns = positions(tickets)
    session.out.table(
        {"tickets": waiting_document(tickets)},
        ("turn", "owner", "trackers", "priority", "since", "state", "reason", "server"),
        [
            (
                str(turns.get(ticket.number, "-")),
                ticket.owner.key,
                ", ".join(map(str, ticket.trackers)),
                str(ticket.priority),
                _moment(ticket.enqueued_at),
                _state(ticket),
                ticket.reason,
                ticket.server,
            )
            for ticket in tickets
        ],
    )
    return 0


def leave(
    session: Session,
    owner: Annotated[str, typer.Option("--owner", help="Who shall wait no more.")],
    tracker: OptionalTracker = None,
) -> int:
    """Take an owner out of the queue, for one tracker or for all.

    A task or a command that waits with the ticket ends with an error. Who waits for
    nothing is success.
    """
    with session.open_store() as store:
        left = store.queue.leave(
            session.server or None,
            owner,
            None if tracker is None else TrackerId(tracker),
            by=signed(),
        )
    lines = [
        f"{owner} waits for tracker {', '.join(map(str, ticket.trackers))} no more."
        for ticket in left
    ]
    session.out.result(
        {"left": [ticket.to_json() for ticket in left]},
        lines or [f"{owner} waits for nothing."],
    )
    return 0


def reorder(
    session: Session,
    owner: Annotated[str, typer.Option("--owner", help="Whose place to move.")],
    priority: Annotated[int, typer.Option(help="Who has a higher one goes first.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept and shown.")],
    tracker: OptionalTracker = None,
    by: Annotated[
        str, typer.Option(help="Who; your account and machine are kept with it.")
    ] = "",
) -> int:
    """Give an owner who waits another priority, for one tracker or for all.

    His place moves by the `ageing` for each point, and stays so whatever his task asks
    for again. Nobody of that name waits: exit code 64.
    """
    with session.open_store() as store:
        moved = store.queue.reorder(
            session.server or None,
            owner,
            None if tracker is None else TrackerId(tracker),
            priority=priority,
            settings=lock_settings(session.where.timing),
            by=signed(by),
            reason=reason,
        )
        tickets = store.status.list_tickets(session.server or None)
    if not moved:
        raise ConfigurationError("--owner", f"{owner} waits for nothing")
    numbers = {ticket.number for ticket in moved}
    shown = [one for one in waiting_document(tickets) if one["ticket"] in numbers]
    session.out.result(
        {"moved": shown},
        [
            f"{owner} waits for tracker {', '.join(map(str, one['trackers']))} with "
            f"priority {one['priority']}, turn {one['turn'] or '-'}."
            for one in shown
        ],
    )
    return 0


def waiting_document(tickets: Sequence[Ticket]) -> list[dict[str, Any]]:
    """Return tickets as JSON, each with its turn; None for one that blocks nobody."""
    turns = positions(tickets)
    return [{"turn": turns.get(t.number), **t.to_json()} for t in tickets]


def waiting_lines(tickets: Sequence[Ticket]) -> list[str]:
    """Return a line for each ticket, in their order."""
    turns = positions(tickets)
    return [
        f"{'waits':<15} {turns.get(ticket.number, '-')}. {ticket.owner.key} "
        f"since {_moment(ticket.enqueued_at)}, priority {ticket.priority}, "
        f"{_state(ticket)}" + (f": {ticket.reason}" if ticket.reason else "")
        for ticket in tickets
    ]


def _state(ticket: Ticket) -> str:
    if not ticket.is_live:
        return f"not seen since {_moment(ticket.seen_at)}"
    if ticket.offer_until is not None:
        return f"kept for it until {_moment(ticket.offer_until)}"
    return "waiting"


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
