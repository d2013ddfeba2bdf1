"""What the conductors of a lock share: tools, settings, and our own deadlines."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from airflow_codebeamer.client import Client
from airflow_codebeamer.clock import Clock
from airflow_codebeamer.errors import LockLostError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.permissions import Permissions
from airflow_codebeamer.locking.records.history import History
from airflow_codebeamer.locking.records.ledger import Ledger
from airflow_codebeamer.locking.records.store import LockStore
from airflow_codebeamer.locking.rotation import Rotation
from airflow_codebeamer.settings import LockSettings

__all__ = ["Deadlines", "Guard", "Parts", "Undo", "Undone"]

Guard = Callable[[], None]


class Undone(Protocol):
    """What the undo hook answers: a line for each thing."""

    @property
    def undone(self) -> Sequence[str]:
        """What was put back."""

    @property
    def left(self) -> Sequence[str]:
        """What could not be put back."""


#: Rolls back the open runs of a lock's lineage, asking the guard before writes.
Undo = Callable[[Lock, Guard], Undone]


class Deadlines:
    """Until when our own renewals are surely good, on this machine's clock.

    Counted from the moment of sending, less a margin: the store's clock and
    ours need not agree, only run equally fast.
    """

    def __init__(self, clock: Clock, margin: timedelta) -> None:
        self._clock = clock
        self._margin_seconds = margin.total_seconds()
        self._mutex = threading.Lock()
        self._ends: dict[tuple[int, int], float] = {}

    def now(self) -> float:
        """Return the moment to give to `note`, before sending."""
        return self._clock.monotonic()

    def note(self, lock: Lock, sent: float, lease: timedelta) -> None:
        """Remember a renewal that succeeded and was sent at `sent`."""
        end = sent + lease.total_seconds() - self._margin_seconds
        with self._mutex:
            self._ends[(lock.tracker_id, lock.epoch)] = end

    def note_granted(self, renewed: Lock, sent: float, lease: timedelta) -> None:
        """Remember a renewal; what was granted may be less than what was asked for."""
        granted = renewed.lease if renewed.hold_until is not None else None
        self.note(renewed, sent, lease if granted is None else min(lease, granted))

    def drop(self, lock: Lock) -> None:
        """Remember that the lock is not ours any more."""
        with self._mutex:
            self._ends[(lock.tracker_id, lock.epoch)] = float("-inf")

    def find(self, lock: Lock) -> float | None:
        """Return the end of the lock's last renewal, None if it had none here."""
        with self._mutex:
            return self._ends.get((lock.tracker_id, lock.epoch))

    def check(self, lock: Lock) -> None:
        """Raise if the last renewal may be over.

        Raises:
            LockLostError: it may be, or there was none.
        """
        end = self.find(lock)
        if end is None or self._clock.monotonic() >= end:
            raise LockLostError(
                lock.tracker_id,
                expected=lock.epoch,
                found=None,
                why="its lease was not renewed in time",
            )


@dataclass(frozen=True)
class Parts:
    """Everything that takes part in a lock, as the engine was given it."""

    store: LockStore
    ledger: Ledger
    client: Client
    settings: LockSettings
    clock: Clock
    exclusive_role: str
    undo: Undo | None
    say: Callable[[str], None]
    #: Gets each escrow, as one line.
    escrow: Callable[[str], None]
    deadlines: Deadlines = field(repr=False)
    #: Two accounts that write in turn; None: the one of the client does.
    rotation: Rotation | None = None

    @property
    def server(self) -> str:
        """The server's name in the store."""
        return self.client.settings.base

    @property
    def history(self) -> History:
        """The events of all locks."""
        return self.store.history

    def writer_client(self, lock: Lock) -> Client:
        """Return the client of the account that writes items under a lock."""
        if self.rotation is None:
            return self.client
        return self.rotation.writer_of(self.history, lock).client

    def read(self, tracker_id: TrackerId) -> Permissions:
        """Return the permissions on the server right now: one request."""
        return Permissions.of(self.client.trackers.list_permissions(tracker_id))
