"""Two tries of one owner at the same time: the second waits and gets the same lock.

Two releases, too: in one process the second waits for the first. Of two processes the
later goes on with the restore, and the earlier waits for it.

A try that died leaves a record just like one that is under way. In this process a
mutex tells them apart, on this machine the number of the process, and elsewhere the
lease: who is at work renews it.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakValueDictionary

from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking.lock import FREEZE, Lock, Owner
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.states import LockState

__all__ = ["Twins", "is_finished_by_a_twin", "one_release_at_a_time"]

_UNDER_WAY = (LockState.GRANTED, LockState.LOCKING)

_Key = tuple[str, ...]
_mutexes: WeakValueDictionary[_Key, threading.RLock] = WeakValueDictionary()
_registry = threading.Lock()


class Twins:
    """What one try to acquire has to know of other tries of the same owner."""

    def __init__(self, parts: Parts, owner: Owner) -> None:
        self._parts = parts
        self._standing: tuple[int, int, float] | None = None
        self._mutex = _mutex_of(parts.server, owner.key)

    @contextmanager
    def one_at_a_time(self) -> Iterator[None]:
        """Let one try of this owner in this process act; nobody waits in here."""
        with self._mutex:
            yield

    def is_at_work(self, seen: Lock) -> bool:
        """Return whether another process is taking this lock for the same owner."""
        if seen.state not in _UNDER_WAY or not seen.owner.host:
            return False
        if seen.lease is None or seen.lease > self._parts.settings.ttl:
            # A reservation: whoever wrote it went away on purpose.
            return False
        if seen.owner.host == socket.gethostname() and not _lives(seen.owner.pid):
            return False
        return not self._stands_still(seen)

    def has_it(self, found: Lock) -> bool:
        """Return whether a try of this owner has a lock, or is about to have it.

        A freeze has many holders: he who began it may still have to wait to join.
        """
        is_held = found.state is LockState.HELD and found.mode != FREEZE
        return is_held or found.state in _UNDER_WAY

    def pause(self) -> None:
        """Wait a little for the other one, outside of the mutex."""
        settings = self._parts.settings
        self._parts.clock.sleep(min(settings.poll, settings.beat).total_seconds())

    def _stands_still(self, seen: Lock) -> bool:
        """Return whether nobody has renewed the lease for more than two beats."""
        now = self._parts.clock.monotonic()
        known = self._standing
        if known is None or known[:2] != (seen.epoch, seen.lease_seq):
            self._standing = (seen.epoch, seen.lease_seq, now)
            return False
        return now - known[2] > 2 * self._parts.settings.beat.total_seconds()


@contextmanager
def one_release_at_a_time(
    parts: Parts, owner_key: str, tracker_id: TrackerId
) -> Iterator[None]:
    """Let one thread of this process release a tracker for an owner."""
    with _mutex_of(parts.server, owner_key, str(tracker_id)):
        yield


def is_finished_by_a_twin(parts: Parts, lock: Lock) -> bool:
    """Wait while another release of the same owner, that fenced us, is at work.

    True: it is over, well or not. False: whoever goes on with the lock is no release
    of ours, and nobody here waits for him.
    """
    while True:
        found = parts.store.find(lock.server, lock.tracker_id)
        if found is None or found.lineage != lock.lineage:
            return True
        if found.state is not LockState.RESTORING:
            return found.state is LockState.FREE
        taken = parts.history.find_event(lock.lineage, "take_over")
        if taken is None or taken.who != lock.owner.key:
            return False
        if found.lease_until is None or found.lease_until <= parts.store.now():
            return True
        pause = min(parts.settings.poll, parts.settings.beat)
        parts.clock.sleep(pause.total_seconds())


def _mutex_of(*key: str) -> threading.RLock:
    with _registry:
        return _mutexes.setdefault(key, threading.RLock())


def _lives(pid: int) -> bool:
    """Return whether a process of that number, not ours, is there."""
    if pid in (0, os.getpid()):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
