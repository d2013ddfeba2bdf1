"""A tracker back to its own permissions from escrow, when the lock store is lost.

What the journal would have known is written into whichever store there is, under an
epoch above the lost one's. From there it is an ordinary restore: journal before
each request, three-way merge, read back, and recovery finishes it after a crash.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace

from airflow_codebeamer.errors import EscrowError, LockHeldError, LockLostError
from airflow_codebeamer.ids import Epoch, Lineage
from airflow_codebeamer.locking.escrow.escrow import Escrow, EscrowRole
from airflow_codebeamer.locking.escrow.settling import begin_notice, settle_notice
from airflow_codebeamer.locking.lock import Lock, Owner
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.permissions import Permissions, merge, spell
from airflow_codebeamer.locking.records.epochs import raise_epoch
from airflow_codebeamer.locking.records.history import OPENED, Event
from airflow_codebeamer.locking.report import ReleaseReport
from airflow_codebeamer.locking.rights.restoring import Restoring
from airflow_codebeamer.locking.states import LockState

__all__ = ["Salvage", "SalvagePlan", "SalvageRole"]


@dataclass(frozen=True)
class SalvageRole:
    """What one role would get back, by name, and what of it the lock had taken.

    `returned` says that it has part of that already: somebody gave it by hand.
    """

    name: str
    gets: str
    returned: bool = False

    def __str__(self) -> str:
        """Return it as a sentence without its end."""
        by_hand = " (somebody gave it part of that already)" if self.returned else ""
        return f"role {self.name} gets back {self.gets}{by_hand}"


@dataclass(frozen=True)
class SalvagePlan:
    """What a restore from escrow would do now."""

    escrow: Escrow
    roles: tuple[SalvageRole, ...]
    unchanged: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return the plan for people."""
        one = self.escrow
        head = (
            f"Tracker {one.tracker_id}, locked by {one.owner} at {one.at[:19]} "
            f"(epoch {one.epoch}):"
        )
        kept = ", ".join(self.unchanged)
        return [
            head,
            *(f"  {role}" for role in self.roles),
            *([f"  has all it had: {kept}"] if kept else []),
        ]


class Salvage:
    """Restores one tracker from escrow.

    Raises, from `plan` and `run`, with nothing changed:
        LockHeldError: the store knows somebody who has the tracker.
        EscrowError: the store knows that this lock was restored.

    Not promised: that an escrow is of the last lock. If there was a later one whose
    log is at hand too, give that.
    """

    def __init__(self, parts: Parts, escrow: Escrow) -> None:
        self._parts = parts
        self._escrow = escrow

    def plan(self) -> SalvagePlan:
        """Say what `run` would do: one request, nothing is changed."""
        self._refuse_known()
        now = self._parts.read(self._escrow.tracker_id)
        found = {role: self._look(role, now) for role in self._escrow.roles}
        return SalvagePlan(
            self._escrow,
            tuple(look for look in found.values() if look is not None),
            tuple(role.name for role, look in found.items() if look is None),
        )

    def run(self, *, by: str, reason: str = "") -> ReleaseReport:
        """Take the record, put every role back, read it back, and free the tracker.

        Raises:
            RestorePendingError: not all is back yet; `recover` goes on.
            LockLostError: somebody else took the tracker meanwhile.
        """
        self._refuse_known()
        escrow, parts = self._escrow, self._parts
        raise_epoch(
            parts.store,
            parts.server,
            escrow.tracker_id,
            escrow.epoch,
            host=socket.gethostname(),
            by=by,
            why="an escrow has it",
        )
        lock = self._restoring(self._taken(by, reason or "restore from escrow"))
        report = Restoring(parts, lock, by=by).run()
        settle_notice(parts, escrow.tracker_id)
        return report

    def _look(self, role: EscrowRole, now: Permissions) -> SalvageRole | None:
        current = now.of_role(role.role_id)
        missing = merge(role.original, role.locked, current) - current
        if not role.is_reduced or not missing:
            return None
        names = {**self._escrow.names, **now.names}
        taken = role.original - role.locked
        return SalvageRole(role.name, spell(missing, names), bool(taken & current))

    def _refuse_known(self) -> None:
        parts, escrow = self._parts, self._escrow
        seen = parts.store.find(parts.server, escrow.tracker_id)
        if seen is not None and seen.state is not LockState.FREE:
            raise LockHeldError(
                escrow.tracker_id,
                owner=seen.owner.key,
                since=seen.acquired_at,
                deadline=seen.lease_until,
                reason=seen.reason,
            )
        done = self._find_restored()
        if done is not None:
            raise EscrowError(
                f"lineage {escrow.lineage[:8]}",
                "the store says that this lock was restored at "
                f"{done.at.isoformat(timespec='seconds')}",
                "what roles lack now somebody else took: look at `lock history`",
            )

    def _find_restored(self) -> Event | None:
        """Return the event that ended the lock, or an earlier salvage of it."""
        history, lineage = self._parts.history, self._escrow.lineage
        opened = history.list_lineage(lineage, OPENED)
        for one in (lineage, *(Lineage(event.detail["into"]) for event in opened)):
            done = history.find_event(one, "restored_verified")
            if done is not None:
                return done
        return None

    def _taken(self, by: str, reason: str) -> Lock:
        parts, ttl = self._parts, self._parts.settings.ttl
        sent = parts.deadlines.now()
        owner = Owner.here(f"{by} (escrow)", run=self._escrow.owner)
        lock = parts.store.grant(
            parts.server, self._escrow.tracker_id, owner, reason=reason, lease=ttl
        )
        if lock is None:
            raise self._lost(self._escrow.epoch)
        parts.deadlines.note(lock, sent, ttl)
        return lock

    def _restoring(self, lock: Lock) -> Lock:
        """Write down what the lost journal knew; go on as its release would."""
        parts, ttl, escrow = self._parts, self._parts.settings.ttl, self._escrow
        names = dict(escrow.names)
        lock = parts.ledger.open_lineage(
            lock,
            [role.entry(names) for role in escrow.roles],
            lease=ttl,
            exclusive_role="",
            digest=escrow.original.digest(),
        )
        lost = replace(
            lock, lineage=escrow.lineage, epoch=escrow.epoch, owner=Owner(escrow.owner)
        )
        parts.history.record(lost, OPENED, {"into": lock.lineage})
        begin_notice(parts, lost)
        # Requests of the lost lock may still be under way: nobody knows of them.
        restoring = parts.store.start_restoring(
            lock, ttl=ttl, dirty=parts.settings.lock_delay
        )
        if restoring is None:
            raise self._lost(lock.epoch)
        return restoring

    def _lost(self, epoch: Epoch) -> LockLostError:
        return LockLostError(
            self._escrow.tracker_id,
            expected=epoch,
            found=None,
            why="somebody else took the tracker meanwhile",
        )
