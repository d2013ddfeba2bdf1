"""A thread that looks at a held tracker again and again, and says what it found."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from airflow_codebeamer.errors import (
    CodebeamerError,
    DatabaseError,
    LockLostError,
)
from airflow_codebeamer.locking.lock import FREEZE, Lock
from airflow_codebeamer.locking.parts import Parts

__all__ = ["Lookout"]


class Lookout:
    """Calls `look` every so often, on a thread of its own, while a lock is held.

    `on_failed` gets the word that the work has to stop. `lease` is what the holder
    renews with, if that is not the short `ttl`: a look that writes something down sets
    the lease to the `ttl`, so it is set again. While `is_wanted` says no, nobody looks.

    Of a freeze each who shares it looks the less often the more they are, so that
    together they look as often as one.

    Not promised: that nobody writes between two looks. A server that does not
    answer is asked again at the next one, and that is told once.
    """

    #: What is looked at, for people.
    subject = "the tracker"

    def __init__(
        self,
        parts: Parts,
        lock: Lock,
        on_failed: Callable[[LockLostError], None],
        *,
        lease: timedelta | None = None,
        is_wanted: Callable[[], bool] | None = None,
    ) -> None:
        self._parts = parts
        self._lock = lock
        self._on_failed = on_failed
        self._lease = lease
        self._is_wanted = is_wanted
        self._trouble = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def every(self) -> timedelta:
        """How often it looks; not at all if that is 0."""
        return self._parts.settings.watch

    def start(self) -> None:
        """Look every so often until `stop`."""
        if self.every and self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name=f"watch-{self._lock.tracker_id}", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End the thread; a look under way is waited for."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def pause(self) -> timedelta:
        """Return how long it waits until the next look."""
        if self._lock.mode != FREEZE:
            return self.every
        try:
            sharers = len(self._parts.store.list_holders(self._lock))
        except DatabaseError:
            sharers = 1
        return self.every * max(1, sharers)

    def look(self) -> list[str]:
        """Look once; return what is new, by name.

        Raises:
            LockLostError: the work has to stop.
            CodebeamerError: the server or the store did not let us.
        """
        raise NotImplementedError

    def _write_down(self, kind: str, detail: Mapping[str, Any]) -> None:
        """Add an event, if the lock is ours: a zombie's look is nobody's finding.

        Raises:
            LockLostError: it is not.
        """
        with self._parts.store.fenced(self._lock, self._parts.settings.ttl) as inside:
            self._parts.history.record(self._lock, kind, detail, within=inside)

    def _run(self) -> None:
        # Real time on purpose, like the beat.
        while not self._stop.wait(self.pause().total_seconds()):
            if self._is_wanted is not None and not self._is_wanted():
                return
            try:
                if self.look() and self._lease is not None:
                    self._renew(self._lease)
            except LockLostError as error:
                self._on_failed(error)
                return
            except CodebeamerError as error:
                self._tell(str(error))
            else:
                self._trouble = ""

    def _renew(self, lease: timedelta) -> None:
        sent = self._parts.deadlines.now()
        renewed = self._parts.store.renew(self._lock, lease)
        self._parts.deadlines.note_granted(renewed, sent, lease)

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._parts.say(
                f"Tracker {self._lock.tracker_id}: {self.subject} not watched at the "
                f"moment: {trouble}"
            )
        self._trouble = trouble
