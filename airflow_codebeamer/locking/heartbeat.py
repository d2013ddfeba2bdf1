"""Renewals by a thread of their own, and the word that a lock is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING

from airflow_codebeamer.errors import DatabaseError, LockLostError
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.states import LockState

if TYPE_CHECKING:
    from airflow_codebeamer.locking.engine import LockEngine

__all__ = ["Heartbeat", "Pulse"]


class Pulse:
    """A thread that renews one lock every beat, in its state or in these.

    A store that does not answer is asked again until our own deadline; a store
    that says the lock is not ours ends it at once. Nothing is renewed after
    that, and nothing re-acquires.
    """

    def __init__(
        self,
        parts: Parts,
        on_lost: Callable[[LockLostError], None] | None = None,
        *,
        states: Collection[LockState] = (),
    ) -> None:
        self._parts = parts
        self._states = states
        self._on_lost = on_lost
        self._stop = threading.Event()
        self._mutex = threading.Lock()
        self._thread: threading.Thread | None = None
        self._lost: LockLostError | None = None
        self._last_good: float | None = None

    @property
    def lost(self) -> LockLostError | None:
        """The word that the lock is lost, None while it is not."""
        with self._mutex:
            return self._lost

    @property
    def age(self) -> timedelta | None:
        """How long ago the last good beat was, None before the first."""
        if self._last_good is None:
            return None
        return timedelta(seconds=self._parts.clock.monotonic() - self._last_good)

    def start(self, lock: Lock) -> None:
        """Beat for a lock until `stop`."""
        self._last_good = self._parts.clock.monotonic()
        self._thread = threading.Thread(
            target=self._run, args=(lock,), name=f"lock-{lock.tracker_id}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a beat under way is waited for."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def beat(self, lock: Lock) -> None:
        """Renew once.

        Raises:
            LockLostError: the lock is not ours any more.
            DatabaseError: the store did not answer.
        """
        lease = self._parts.settings.ttl
        sent = self._parts.deadlines.now()
        self._parts.store.renew(lock, lease, self._states)
        self._parts.deadlines.note(lock, sent, lease)
        self._last_good = sent

    def lose(self, lock: Lock, error: LockLostError) -> None:
        """Say that the lock is lost, once."""
        with self._mutex:
            if self._lost is not None:
                return
            self._lost = error
        self._parts.deadlines.drop(lock)
        if self._on_lost is not None:
            self._on_lost(error)

    def _run(self, lock: Lock) -> None:
        # Real time on purpose: the thread only has to be often enough.
        while not self._stop.wait(self._parts.settings.beat.total_seconds()):
            try:
                self.beat(lock)
            except LockLostError as error:
                self.lose(lock, error)
                return
            except DatabaseError:
                if self._is_too_late(lock):
                    return

    def _is_too_late(self, lock: Lock) -> bool:
        try:
            self._parts.deadlines.check(lock)
        except LockLostError as error:
            self.lose(lock, error)
            return True
        return False


class Heartbeat:
    """Keeps a held lock alive while a block of code works under it.

    Entering renews with the short `ttl`, so a killed process is noticed soon;
    leaving without an error sets the `bridge` lease again, for whoever comes
    next; leaving with an error sets nothing and lets the lease run out, unless
    the next one comes before. Ask `guard` before each write.

    Of a lock that was taken in a set, the whole set: all are renewed, and what is
    lost of one is lost of all.

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
        self._pulses = [(lock, self._pulse())]

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
                raise LockLostError(
                    lost.tracker_id,
                    expected=lost.expected,
                    found=lost.found,
                    why=lost.why,
                )

    def __enter__(self) -> Heartbeat:
        for lock in self._engine.find_set(self._pulses[0][0])[1:]:
            self._pulses.append((lock, self._pulse()))
        for lock, pulse in self._pulses:
            pulse.beat(lock)
        for lock, pulse in self._pulses:
            pulse.start(lock)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for _, pulse in self._pulses:
            pulse.stop()
        if error is None and not self.is_lost:
            for lock, _ in self._pulses:
                self._engine.renew(lock, lease=self._engine.parts.settings.bridge)
