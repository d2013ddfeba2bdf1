"""TrackerLockTrigger: waits for a tracker without a worker, never blocks the loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Literal, ParamSpec, TypeVar

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from airflow_codebeamer.clock import SystemClock
from airflow_codebeamer.errors import (
    CodebeamerError,
    DatabaseError,
    Retry,
    TicketRemovedError,
)
from airflow_codebeamer.hooks import CodebeamerHook
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Lock, LockState
from airflow_codebeamer.triggers.attendant import attendant_of
from airflow_codebeamer.triggers.events import LockEvent
from airflow_codebeamer.wiring import Codebeamer

__all__ = ["TrackerLockTrigger", "WantedState", "deadline_in", "is_reached"]

P = ParamSpec("P")
T = TypeVar("T")
WantedState = Literal["free", "held"]

#: So many looks in a row may fail on the store before the wait is given up.
_PATIENCE = 3


def is_reached(lock: Lock | None, state: WantedState) -> bool:
    """Say whether a lock, as the store has it, is in the wanted state.

    `free`: nobody has the tracker and its permissions are back. `held`: a lock
    is in force, verified on the server; one that is being taken does not count.
    """
    if state == "held":
        return lock is not None and lock.state is LockState.HELD
    return lock is None or lock.state is LockState.FREE


class TrackerLockTrigger(BaseTrigger):
    """Look at locks in the store until each is free, or held.

    Only looks: it takes and releases nothing, whatever becomes of it. With a
    ticket it ends when the tracker is kept for the task, which then takes it. A
    restarted triggerer goes on with the same deadline and the same ticket.

    :param tracker_id: the tracker, or a list: all of them at the same moment.
    :param state: `free` or `held`.
    :param codebeamer_conn_id: the connection of the server.
    :param deadline: when to give up, ISO 8601 with offset; None waits for ever.
    :param poll_seconds: time between two looks.
    :param ticket: the number of the task's ticket in the queue: wait for its turn,
        keeping it alive. All such triggers of a triggerer share one look at a store,
        whatever connection leads there.
    :param take_over: end the wait for `free` also when the holder's lease is over,
        since whoever acquires then may restore and take the tracker.
    """

    def __init__(
        self,
        tracker_id: int | list[int],
        state: WantedState = "free",
        codebeamer_conn_id: str = CodebeamerHook.default_conn_name,
        deadline: str | None = None,
        poll_seconds: float = 5.0,
        take_over: bool = False,
        ticket: int | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tracker_id = tracker_id
        self.state = state
        self.codebeamer_conn_id = codebeamer_conn_id
        self.deadline = deadline
        self.poll_seconds = poll_seconds
        self.take_over = take_over
        self.ticket = ticket

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of this class and arguments that JSON can carry."""
        return (
            "airflow_codebeamer.triggers.lock.TrackerLockTrigger",
            {
                "tracker_id": self.tracker_id,
                "state": self.state,
                "codebeamer_conn_id": self.codebeamer_conn_id,
                "deadline": self.deadline,
                "poll_seconds": self.poll_seconds,
                "take_over": self.take_over,
                "ticket": self.ticket,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: reached, timeout or error."""
        event = await (self._wait() if self.ticket is None else self._queue())
        yield TriggerEvent(event.payload())  # type: ignore[no-untyped-call]

    async def _queue(self) -> LockEvent:
        """Wait with a ticket: the attendant looks for all who do."""
        hook = CodebeamerHook(self.codebeamer_conn_id)
        try:
            async with asyncio.timeout(self._seconds_left()):
                attendant = await attendant_of(self.codebeamer_conn_id, hook.codebeamer)
                assert self.ticket is not None  # noqa: S101 -- asked by our caller
                is_ours = await attendant.wait(self.ticket, self.poll_seconds)
        except TimeoutError:
            return self._event(
                "timeout", f"It was not our turn for tracker {self.tracker_id} in time."
            )
        except Exception as error:
            return self._failed(error)
        if is_ours:
            return self._event("reached")
        return self._failed(TicketRemovedError(self._trackers, owner="This task"))

    def _seconds_left(self) -> float | None:
        if self.deadline is None:
            return None
        left = datetime.fromisoformat(self.deadline) - SystemClock().now()
        return max(0.0, left.total_seconds())

    async def _wait(self) -> LockEvent:
        hook = CodebeamerHook(self.codebeamer_conn_id)
        try:
            codebeamer = await _in_thread(hook.codebeamer)()
        except Exception as error:
            return self._failed(error)
        try:
            return await self._poll(codebeamer)
        except Exception as error:
            return self._failed(error)
        finally:
            await _in_thread(codebeamer.close)()

    async def _poll(self, codebeamer: Codebeamer) -> LockEvent:
        look = _in_thread(self._look)
        failures = 0
        while True:
            try:
                event = await look(codebeamer)
            except DatabaseError as error:
                failures += 1
                if error.retry is Retry.NEVER or failures >= _PATIENCE:
                    raise
                event = None
            else:
                failures = 0
            if event is not None:
                return event
            await asyncio.sleep(self.poll_seconds)

    def _look(self, codebeamer: Codebeamer) -> LockEvent | None:
        server = codebeamer.settings.server.base
        now = SystemClock().now()
        found = {one: codebeamer.status.find(server, one) for one in self._trackers}
        missing = {n: k for n, k in found.items() if not is_reached(k, self.state)}
        if not missing:
            return self._event("reached")
        delay = codebeamer.settings.lock.lock_delay
        if self.take_over and all(_is_over(k, delay, now) for k in missing.values()):
            return self._event("reached", "the lease of the holder is over")
        if self.deadline and datetime.fromisoformat(self.deadline) <= now:
            number, lock = next(iter(missing.items()))
            holder = lock.owner.key if lock is not None and lock.owner else "nobody"
            return self._event(
                "timeout",
                f"Tracker {number} is not {self.state} in time; its holder is "
                f"{holder}.",
            )
        return None

    @property
    def _trackers(self) -> list[TrackerId]:
        given = self.tracker_id
        return [TrackerId(n) for n in (given if isinstance(given, list) else [given])]

    def _failed(self, error: Exception) -> LockEvent:
        if isinstance(error, CodebeamerError):
            message, retry = str(error), error.retry is not Retry.NEVER
        else:
            message, retry = f"{type(error).__name__}: {error}", True
        return LockEvent(
            status="error",
            tracker_id=self._trackers[0],
            message=message,
            retry=retry,
            deadline=_moment(self.deadline),
        )

    def _event(
        self, status: Literal["reached", "timeout"], message: str = ""
    ) -> LockEvent:
        return LockEvent(
            status=status,
            tracker_id=self._trackers[0],
            message=message,
            deadline=_moment(self.deadline),
        )


def _is_over(lock: Lock | None, lock_delay: timedelta, now: datetime) -> bool:
    """Say whether whoever acquires now may restore a lock and take its tracker."""
    ends = lock.lease_until if lock is not None else None
    return ends is not None and ends + lock_delay <= now


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _in_thread(function: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """Run it in a thread of its own, so that one slow store stops no other trigger."""
    return sync_to_async(function, thread_sensitive=False)


def deadline_in(span: timedelta | None) -> str | None:
    """Return the absolute deadline of a wait that begins now, as kwargs carry it."""
    if span is None:
        return None
    return (SystemClock().now() + span).isoformat()
