"""Rotation: two accounts write in turn, so that the server refuses who lost his lock.

Each has a role of its own that may only read while nobody holds the tracker. A lock
gives one of the two what it needs to write, and takes it back with the rest. Who was
taken over may be alive: his account is not the next one to write.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_codebeamer.client import Client
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.records.history import Event, History

__all__ = ["WRITER", "Rotation", "Turn", "Writer"]

#: The event that says whose turn it was.
WRITER = "writer"
#: The events with which the one whose turn it was may have ended it himself.
_ENDED = ("restored_verified", "give_back")


@dataclass(frozen=True)
class Writer:
    """An account that writes items, with the role that it alone is in."""

    role: str
    client: Client

    @property
    def login(self) -> str:
        """The account's log-in name."""
        return self.client.settings.login


@dataclass(frozen=True)
class Turn:
    """Whose turn it is; `stale` are the roles whose last holder may be alive.

    The oldest first. `is_reused` if there was no other: its own last holder was
    taken over, and so was the other's after it.
    """

    writer: Writer
    stale: tuple[str, ...] = ()
    is_reused: bool = False


class Rotation:
    """Two writers, and whose turn it is on a tracker.

    Not promised: that the server refuses a holder who survived two take-overs and
    still writes.
    """

    def __init__(self, writers: Sequence[Writer]) -> None:
        self.writers = tuple(writers)

    def choose(self, history: History, lock: Lock) -> Turn:
        """Return who writes next: not the one whose holder was taken over last."""
        last = history.find_last(lock.server, lock.tracker_id, WRITER)
        if last is None:
            return Turn(self.writers[0])
        used = str(last.detail["role"])
        stale = [role for role in last.detail["stale"] if role != used]
        if not _has_ended(history, last):
            stale.append(used)
        fresh = [one for one in self.writers if one.role not in stale]
        if not fresh:
            oldest = self._find(stale[0])
            return Turn(oldest, tuple(stale[1:]), is_reused=True)
        other = [one for one in fresh if one.role != used]
        return Turn((other or fresh)[0], tuple(stale))

    def record(self, history: History, lock: Lock, turn: Turn) -> None:
        """Write down whose turn it is under a lock."""
        detail = {
            "role": turn.writer.role,
            "account": turn.writer.login,
            "stale": list(turn.stale),
        }
        history.record(lock, WRITER, detail)

    def writer_of(self, history: History, lock: Lock) -> Writer:
        """Return who writes under a lock."""
        last = history.find_event(lock.lineage, WRITER)
        return self.writers[0] if last is None else self._find(last.detail["role"])

    def is_taken_over(self, history: History, lock: Lock) -> bool:
        """Whether the turn of a lock's lineage was another epoch's."""
        last = history.find_event(lock.lineage, WRITER)
        return last is not None and last.epoch != lock.epoch

    def _find(self, role: str) -> Writer:
        found = [one for one in self.writers if one.role == role]
        # Roles may have been renamed in the settings since.
        return (found or list(self.writers))[0]


def _has_ended(history: History, last: Event) -> bool:
    """Whether the one whose turn it was ended by himself, so that he is done."""
    if last.lineage is None:
        return False
    return any(
        event.epoch == last.epoch
        for kind in _ENDED
        for event in history.list_lineage(last.lineage, kind)
    )
