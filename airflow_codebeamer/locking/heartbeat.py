"""A held lock kept alive while a block of code works under it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

from airflow_codebeamer.errors import DatabaseError, LockLostError
from airflow_codebeamer.locking.lock import ROLE_PERMISSIONS, Lock
from airflow_codebeamer.locking.lookout import Lookout
from airflow_codebeamer.locking.pulse import Pulse

if TYPE_CHECKING:
    from airflow_codebeamer.locking.engine import LockEngine

__all__ = ["Heartbeat", "Pulse"]


class Heartbeat:
    """Keeps a held lock alive while a block of code works under it.

    Entering renews with the short `ttl`, so a killed process is noticed soon;
    leaving without an error sets the `bridge` lease again, for whoever comes
    next; leaving with an error sets nothing and lets the lease run out, unless
    the next one comes before. Ask `guard` before each write. With the setting
    `watch` what the lock took is looked at again meanwhile (`LockEngine.look_out`).

    Of a lock that was taken in a set, the whole set (`locks`): all are renewed and
    watched, and what is lost of one is lost of all.

    Not promised: that the block stops by itself when the lock is lost. `guard`
    raises, and `on_lost` is called once, from the thread.

    Example:
        >>> with Heartbeat(engine, lock) as heartbeat:  # doctest: +SKIP
        ...     heartbeat.guard()
    """

    def __init__(
        self,
        engine: LockEngine,
        lock: Lock,
        *,
        on_lost: Callable[[LockLostError], None] | None = None,
    ) -> None:
        self._engine = engine
        self._on_lost = on_lost
        self._mutex = threading.Lock()
        self._has_told = False
        self._end = threading.Event()
        self._keeping: threading.Thread | None = None
        self._pulses = [(lock, self._pulse())]
        self._watches: list[Lookout] = []

    @property
    def locks(self) -> tuple[Lock, ...]:
        """The locks that are kept: of a set all of them, once it was entered."""
        return tuple(lock for lock, _ in self._pulses)

    @property
    def is_lost(self) -> bool:
        """Whether the lock is known to be lost."""
        return any(pulse.lost is not None for _, pulse in self._pulses)

    @property
    def age(self) -> timedelta | None:
        """How long ago the last good beat was; of a set, the oldest of them."""
        ages = [pulse.age for _, pulse in self._pulses]
        known = [age for age in ages if age is not None]
        return max(known) if len(known) == len(ages) else None

    def guard(self) -> None:
        """Return if writing is allowed right now; asks the store, which is one read.

        A release by the same run, or a break, is noticed by the next write and not
        only by the next beat. A store that does not answer is borne until our own
        deadline.

        Raises:
            LockLostError: it is not.
        """
        self._raise_if_lost()
        for lock, pulse in self._pulses:
            try:
                with suppress(DatabaseError):
                    self._engine.parts.store.lease_left(lock)
            except LockLostError as error:
                pulse.lose(lock, error)
                self._raise_if_lost()
            self._engine.guard(lock)

    def _pulse(self) -> Pulse:
        return Pulse(self._engine.parts, self._tell)

    def _tell(self, error: LockLostError) -> None:
        with self._mutex:
            is_first, self._has_told = not self._has_told, True
        if is_first and self._on_lost is not None:
            self._on_lost(error)

    def _raise_if_lost(self) -> None:
        for _, pulse in self._pulses:
            if (lost := pulse.lost) is not None:
                raise lost.anew()

    def __enter__(self) -> Heartbeat:
        for lock in self._engine.find_set(self._pulses[0][0])[1:]:
            self._pulses.append((lock, self._pulse()))
        for lock, pulse in self._pulses:
            pulse.beat(lock)
        for lock, pulse in self._pulses:
            pulse.start(lock)
            self._watches += self._engine.look_out(lock, partial(pulse.lose, lock))
        if any(lock.strategy != ROLE_PERMISSIONS for lock, _ in self._pulses):
            self._keeping = threading.Thread(target=self._keep, daemon=True)
            self._keeping.start()
        return self

    def _keep(self) -> None:
        """Let strategies renew what they hold: apart, since that may take requests."""
        beat = self._engine.parts.settings.beat.total_seconds()
        while not self._end.wait(beat):
            for lock, pulse in self._pulses:
                try:
                    self._engine.keep(lock)
                except LockLostError as error:
                    pulse.lose(lock, error)
                    return

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end.set()
        for watch in self._watches:
            watch.stop()
        for _, pulse in self._pulses:
            pulse.stop()
        if self._keeping is not None:
            self._keeping.join()
        if error is None and not self.is_lost:
            for lock, _ in self._pulses:
                self._engine.renew(lock, lease=self._engine.parts.settings.bridge)
