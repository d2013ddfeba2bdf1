"""Waiting: one owner's place in the queue while his process is there itself."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from airflow_codebeamer.errors import DatabaseError, LockHeldError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking.lock import Lock, Owner
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.records.ticket import Ticket
from airflow_codebeamer.locking.rights.questions import list_questions
from airflow_codebeamer.locking.states import LockState

__all__ = ["Waiting", "head_start", "held"]


def head_start(parts: Parts, priority: int) -> timedelta:
    """Return what a priority is worth against those who came before."""
    return priority * parts.settings.ageing


class Waiting:
    """An owner's way through the queue; without contention it writes nothing.

    The first look needs no ticket. Who has to wait gets one, or finds his own
    from an earlier try. Who stops waiting keeps it, and blocks nobody.
    """

    def __init__(
        self,
        parts: Parts,
        trackers: Sequence[TrackerId],
        owner: Owner,
        *,
        priority: int,
        reason: str,
    ) -> None:
        self._parts = parts
        self._trackers = tuple(trackers)
        self._owner = owner
        self._priority = priority
        self._reason = reason
        self._ticket: Ticket | None = None

    def may_try(self) -> bool:
        """Return whether to try for a free tracker; keeps our ticket alive.

        Raises:
            TicketRemovedError: somebody removed it.
        """
        if self._ticket is None:
            return True
        return self._parts.store.queue.stay(self._ticket, self._parts.settings)

    def is_turn(self) -> bool:
        """Return whether nobody who waits goes before us."""
        return self._parts.store.queue.is_turn(
            self._parts.server,
            self._trackers,
            self._owner.key,
            head_start=head_start(self._parts, self._priority),
        )

    def join(self, *, is_elsewhere: bool = False) -> Ticket:
        """Return our ticket; take one if we have none."""
        if self._ticket is None:
            self._ticket = self._parts.store.queue.enqueue(
                self._parts.server,
                self._trackers,
                self._owner,
                settings=self._parts.settings,
                priority=self._priority,
                reason=self._reason,
                is_elsewhere=is_elsewhere,
            )
        return self._ticket

    def rest(self) -> None:
        """Stop waiting without the lock: our place stays, and blocks nobody."""
        if self._ticket is not None:
            # What has gone wrong already is what there is to tell.
            with suppress(DatabaseError):
                self._parts.store.queue.rest(self._ticket)


def held(
    parts: Parts, tracker_id: TrackerId, found: Lock | None, owner_key: str
) -> LockHeldError:
    """Return the error that says who has a tracker, or for whom it is kept."""
    if found is not None and found.state is not LockState.FREE:
        sharers = found.mode and parts.store.list_holders(found)
        names = ", ".join(one.owner.key for one in sharers or ())
        return LockHeldError(
            tracker_id,
            owner=f"a freeze of {names}" if names else found.owner.key,
            since=found.acquired_at,
            deadline=found.lease_until,
            reason=found.reason,
            answers=[
                one.command(tracker_id)
                for one in list_questions(parts.store.database, parts.history, found)
            ],
        )
    others = [
        ticket
        for ticket in parts.store.queue.list_tickets(parts.server, tracker_id)
        if ticket.is_live and ticket.owner.key != owner_key
    ]
    first = others[0] if others else None
    return LockHeldError(
        tracker_id,
        owner=first.owner.key if first else "another",
        since=first.enqueued_at if first else None,
        deadline=first.offer_until if first else None,
        reason=first.reason if first else "",
        is_kept=True,
    )
