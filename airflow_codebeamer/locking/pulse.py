"""Renewals by a thread of their own, and the word that a lock is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from datetime import timedelta

from airflow_codebeamer.errors import DatabaseError, LockLostError
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.states import LockState

__all__ = ["Pulse"]


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
        renewed = self._parts.store.renew(lock, lease, self._states)
        self._parts.deadlines.note_granted(renewed, sent, lease)
        self._last_good = sent

    def lose(self, lock: Lock, error: LockLostError) -> None:
        """Say that the lock is lost, once."""
        with self._mutex:
            if self._lost is not None:
                return
            self._lost = error
        self._stop.set()
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
