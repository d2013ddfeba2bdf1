"""Strategy: what a way of keeping others from writing has to be able to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol, runtime_checkable

from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.locking.escrow.noticing import NoticeBoard
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.report import ReleaseReport
from airflow_codebeamer.locking.rights.preflight import Preflight
from airflow_codebeamer.locking.wish import Wish

__all__ = ["Entering", "Leaving", "Strategy"]


class Entering(Protocol):
    """The way of one lock from granted, or half-locked, to held.

    `lock` is the record as it is by now. Raising LockRefusedError means that
    nothing is left changed, or that `leave` puts it back.
    """

    lock: Lock

    def run(self, account: Preflight | None, lease: timedelta) -> Lock:
        """Return the lock, held; every change was written down before it was made."""
        ...


class Leaving(Protocol):
    """The way of one lock from restoring to free."""

    def run(self) -> ReleaseReport:
        """Undo open runs, put back what was changed, free the record."""
        ...


@runtime_checkable
class Strategy(Protocol):
    """A way to keep others from writing while somebody holds a tracker.

    The record of a lock names its strategy, so whoever releases or recovers it
    uses the same one. Registered as an entry point of the group
    `airflow_codebeamer.strategies`, under its name: the class, or a function that
    returns one. It is made without arguments, once for each process.

    Subclass it for the methods that need nothing done.
    """

    #: The name by which it is chosen, and which the record keeps.
    name: str
    #: What it keeps others from, and what not: one sentence, shown in the preflight.
    promise: str

    def check(self, options: Mapping[str, Any]) -> None:
        """Return if the options make sense, before anything is written or asked.

        Raises:
            ConfigurationError: one is missing or wrong; here, if there are any.
        """
        if options:
            names = ", ".join(sorted(options))
            raise ConfigurationError(
                "strategy_options", f"{self.name} takes none, leave out {names}"
            )

    def preflight(self, parts: Parts, wish: Wish) -> Preflight:
        """Look whether entering would be safe; changes nothing on the server."""
        ...

    def enter(
        self, parts: Parts, lock: Lock, wish: Wish, notice: NoticeBoard
    ) -> Entering:
        """Return the way from a granted or half-locked record to a held one.

        `notice` may be written, if there is something to restore that it should say:
        people are told of a lock that they cannot see otherwise. It was read before
        the tracker was granted, whatever the strategy.
        """
        ...

    def verify(self, parts: Parts, lock: Lock) -> Sequence[str]:
        """Return what is not, or not any more, as a held lock promises; [] is well."""
        ...

    def keep(self, parts: Parts, lock: Lock) -> None:
        """Do what a held lock needs now and then; called at each beat, mostly idle.

        Raises:
            LockLostError: what was held is somebody else's.
        """

    def leave(self, parts: Parts, lock: Lock, *, by: str = "") -> Leaving:
        """Return the way back, for the owner or whoever took the lock over."""
        ...
