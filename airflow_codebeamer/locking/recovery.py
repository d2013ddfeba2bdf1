"""Recovery: every lock whose holder is gone, put back and freed; and its echoes."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from airflow_codebeamer.errors import (
    CodebeamerError,
    DatabaseError,
    LockLostError,
    RestorePendingError,
    Retry,
)
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking.engine import LockEngine
from airflow_codebeamer.locking.escrow.settling import settle_notice
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.report import ReleaseReport
from airflow_codebeamer.locking.rights.echoes import Echo, find_echo, heal
from airflow_codebeamer.locking.rights.questions import refuse_while_asked
from airflow_codebeamer.locking.states import LockState
from airflow_codebeamer.locking.takeover import take_over

__all__ = ["Recovered", "Recovery"]

#: An outage that lasts longer is no outage any more: a person should look.
_LONGEST_OUTAGE = timedelta(hours=1)


@dataclass(frozen=True)
class Recovered:
    """What was found of one lock, and what became of it.

    `action` is "recovered", "would recover" (a dry run), "left" (its lease is
    good, or somebody else was quicker) or "failed"; `error` says why it failed.
    Of a free tracker whose roles a late request had changed, it is "healed" or "would
    heal", and `owner` is whose lock that was. `may_pass` says of what failed that
    nobody answered: the next round may have more luck.
    """

    tracker_id: TrackerId
    state: LockState
    owner: str
    action: str
    report: ReleaseReport | None = None
    error: str = ""
    may_pass: bool = False

    @property
    def needs_a_person(self) -> bool:
        """Whether something is left that this and its next round cannot put right."""
        has_failed = self.action == "failed" and not self.may_pass
        return has_failed or bool(self.report and self.report.not_undone)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON would have it."""
        return {
            "tracker_id": self.tracker_id,
            "state": self.state.value,
            "owner": self.owner,
            "action": self.action,
            "report": None if self.report is None else self.report.to_json(),
            "error": self.error,
            "may_pass": self.may_pass,
        }


class Recovery:
    """Finishes what crashed, killed or stopped processes left of their locks.

    Takes over every lock of the engine's server whose lease is over by more than
    the lock delay, or that is being broken: undoes open runs, restores, frees.
    Looks also at free trackers while a request of their last lock is unsettled and
    younger than a day (one request each), and puts back what it took or gave.
    A failure is written down and the next lock follows. May run anywhere, any
    number of times at once; a living holder is never touched.

    `trust_store` leaves out the second opinion of `Watch` about expired leases.
    `order` says which locks to begin with: what runs wrote in several trackers is
    undone in the order opposite to that in which it was written.

    Not promised: that a tracker comes back while its server refuses or is down;
    the next round tries again.
    """

    def __init__(
        self,
        engine: LockEngine,
        *,
        trust_store: bool = False,
        order: Callable[[list[Lock]], list[Lock]] = list,
    ) -> None:
        self._engine = engine
        self._order = order
        self._trust_store = trust_store

    def recover(
        self, *, dry_run: bool = False, tracker_id: TrackerId | None = None
    ) -> list[Recovered]:
        """Recover every lock that is over, or one tracker's; list what was done.

        Locks whose lease is good are listed as "left" only if asked for by number.

        Raises:
            DatabaseError: the store cannot be read.
        """
        parts = self._engine.parts
        results = []
        for lock in self._order(parts.store.list_locks(parts.server)):
            if tracker_id is not None and lock.tracker_id != tracker_id:
                continue
            if lock.state is LockState.FREE:
                if not dry_run:
                    settle_notice(parts, lock.tracker_id)
                results.extend(self._scrub(lock, dry_run=dry_run))
                continue
            is_over = self._engine.watch.is_over(
                lock, parts.store.now(), trust_store=self._trust_store
            )
            if is_over:
                results.append(self._recover(lock, dry_run=dry_run))
            elif tracker_id is not None:
                results.append(_result(lock, "left"))
        return results

    def _recover(self, lock: Lock, *, dry_run: bool) -> Recovered:
        try:
            refuse_while_asked(self._engine.parts, lock)
        except CodebeamerError as error:
            return _failed(lock, error)
        if dry_run:
            return _result(lock, "would recover")
        why = "its lock was being broken" if lock.breaking else "its lease ran out"
        done = _tried(
            lock,
            "recovered",
            lambda: take_over(self._engine.parts, lock, _here(), why),
        )
        return replace(done, may_pass=done.may_pass and not self._is_old(lock))

    def _is_old(self, lock: Lock) -> bool:
        """Whether this lock's restore has been pending for very long."""
        parts = self._engine.parts
        try:
            if lock.lineage is None:
                return False
            first, now = (
                parts.history.list_lineage(lock.lineage, "restore_pending")[:1],
                parts.store.now(),
            )
        except DatabaseError:
            return False
        return bool(first) and now - first[0].at > _LONGEST_OUTAGE

    def _scrub(self, lock: Lock, *, dry_run: bool) -> list[Recovered]:
        """Put back what a late request of the last lock took; [] if nothing."""
        parts = self._engine.parts
        try:
            echo = find_echo(parts, lock)
        except CodebeamerError as error:
            return [_failed(lock, error)]
        if echo is None:
            return []
        shown = replace(lock, owner=echo.owner)
        if not echo.roles:
            return [_result(shown, "failed", error=_unclear(echo))]
        if dry_run:
            return [_result(shown, "would heal")]
        return [_tried(shown, "healed", lambda: heal(parts, echo, _here()))]


def _unclear(echo: Echo) -> str:
    return (
        f"a late request of ours may have changed a part of {', '.join(echo.unclear)}: "
        "put right what nobody meant, then say "
        f"`airflow-codebeamer lock accept {echo.seen.tracker_id}`"
    )


def _here() -> str:
    return f"recovery on {socket.gethostname()}"


def _tried(lock: Lock, done: str, act: Callable[[], ReleaseReport | None]) -> Recovered:
    try:
        report = act()
    except LockLostError:
        return _result(lock, "left")
    except CodebeamerError as error:
        return _failed(lock, error)
    except Exception as error:
        # One lock's trouble must not keep the others from coming back.
        return _result(lock, "failed", error=f"{type(error).__name__}: {error}")
    if report is None:
        return _result(lock, "left")
    return _result(lock, done, report=report)


def _failed(lock: Lock, error: CodebeamerError) -> Recovered:
    may_pass = error.retry is not Retry.NEVER
    if isinstance(error, RestorePendingError):
        may_pass = error.may_pass
    return replace(_result(lock, "failed", error=str(error)), may_pass=may_pass)


def _result(
    lock: Lock, action: str, *, report: ReleaseReport | None = None, error: str = ""
) -> Recovered:
    return Recovered(lock.tracker_id, lock.state, lock.owner.key, action, report, error)
