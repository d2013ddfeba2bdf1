"""Attendant: one poll of the store for every trigger that waits in the queue.

A triggerer runs up to thousands of triggers in one loop. Each of those that wait
with a ticket gives it to the attendant of its server and store, which keeps all
their tickets alive and makes the offers that are due, with one look at the store per
interval, in one thread.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async

from airflow_codebeamer.errors import DatabaseError, Retry
from airflow_codebeamer.wiring import Codebeamer

__all__ = ["Attendant", "attendant_of"]

#: So many rounds in a row may fail on the store before the waits are given up.
_PATIENCE = 3

Connect = Callable[[], Codebeamer]


class Attendant:
    """Waits for the offers of many tickets; works while somebody waits.

    For one event loop, and one server with its store. `rounds` counts the looks at
    the store that it took.

    Not promised: a look at once. A trigger that joins is seen in the next round.
    """

    def __init__(self, codebeamer: Codebeamer, ended: Callable[[], object]) -> None:
        self._codebeamer = codebeamer
        self._ended = ended
        self._waiting: dict[int, set[asyncio.Future[bool]]] = {}
        self._pauses: dict[asyncio.Future[bool], float] = {}
        self._work: asyncio.Task[None] | None = None
        self.is_over = False
        self.rounds = 0

    async def wait(self, ticket: int, poll_seconds: float) -> bool:
        """Return when the trackers of a ticket are kept for it.

        False if it is not in the queue any more. A wait that is cancelled leaves
        the ticket as it is.

        Raises:
            CodebeamerError: the store cannot be asked.
        """
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(ticket, set()).add(future)
        self._pauses[future] = poll_seconds
        if self._work is None:
            # Of no trigger's context: what it logs is nobody's in particular.
            self._work = asyncio.create_task(
                self._attend(), context=contextvars.Context()
            )
        try:
            return await future
        finally:
            del self._pauses[future]
            others = self._waiting[ticket]
            others.discard(future)
            if not others:
                del self._waiting[ticket]

    async def _attend(self) -> None:
        try:
            await self._rounds()
        except Exception as error:
            for future in self._pauses:
                if not future.done():
                    future.set_exception(error)
        finally:
            # From here on who comes gets an attendant of its own.
            self.is_over = True
            self._ended()
            await _in_thread(self._codebeamer.close)

    async def _rounds(self) -> None:
        queue, settings = self._codebeamer.queue, self._codebeamer.settings
        failures = 0
        while self._waiting:
            numbers = list(self._waiting)
            self.rounds += 1
            try:
                standing = await _in_thread(
                    queue.attend, settings.server.base, numbers, settings.lock
                )
            except DatabaseError as error:
                failures += 1
                if error.retry is Retry.NEVER or failures >= _PATIENCE:
                    raise
            else:
                failures = 0
                self._tell({n: standing.get(n) for n in numbers})
            await self._pause()

    async def _pause(self) -> None:
        # Those who were told leave first, so that the last one ends the work.
        await asyncio.sleep(0)
        if self._pauses:
            pause = min(self._pauses.values())
            # Jitter keeps several triggerers from coming at once; nothing secret.
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311

    def _tell(self, standing: Mapping[int, bool | None]) -> None:
        """Tell who has an offer, and who has no ticket any more (None)."""
        for ticket, has_offer in standing.items():
            if has_offer is False:
                continue
            for future in self._waiting.get(ticket, ()):
                if not future.done():
                    future.set_result(has_offer is True)


class _Hall:
    """The attendants of one event loop: by connection, and by what those lead to.

    Several connections may lead to one server with one store; what tells two apart
    is its address without any secret.
    """

    def __init__(self) -> None:
        self._opening: dict[str, asyncio.Task[Attendant]] = {}
        self._working: dict[tuple[str, str], Attendant] = {}

    async def find(self, name: str, connect: Connect) -> Attendant:
        while True:
            opening = self._opening.get(name)
            if opening is None:
                # Of no trigger's context, as all that an attendant does.
                opening = asyncio.create_task(
                    self._open(name, connect), context=contextvars.Context()
                )
                self._opening[name] = opening
            found = await asyncio.shield(opening)
            if not found.is_over:
                return found
            if self._opening.get(name) is opening:
                del self._opening[name]

    async def _open(self, name: str, connect: Connect) -> Attendant:
        try:
            codebeamer, place = await _in_thread(_placed, connect)
        except Exception:
            del self._opening[name]
            raise
        found = self._working.get(place)
        if found is not None:
            await _in_thread(codebeamer.close)
            return found
        made = Attendant(codebeamer, lambda: self._working.pop(place))
        self._working[place] = made
        return made


def _placed(connect: Connect) -> tuple[Codebeamer, tuple[str, str]]:
    codebeamer = connect()
    return codebeamer, (codebeamer.database.address, codebeamer.settings.server.base)


_halls: WeakKeyDictionary[asyncio.AbstractEventLoop, _Hall] = WeakKeyDictionary()


async def attendant_of(name: str, connect: Connect) -> Attendant:
    """Return the running loop's attendant for what a connection leads to.

    It is that of every other connection to the same server and store, if one works.

    Raises:
        CodebeamerError: the connection cannot be read.
    """
    hall = _halls.setdefault(asyncio.get_running_loop(), _Hall())
    return await hall.find(name, connect)


async def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    return await sync_to_async(function, thread_sensitive=False)(*arguments)
