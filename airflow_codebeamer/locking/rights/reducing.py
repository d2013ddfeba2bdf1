"""From a granted record to a held lock: snapshot, reduce, read back.

Nothing is taken from a role before its original is on the disk, and nothing is
believed before the server has shown it. A process that dies anywhere in here
leaves a journal from which the same owner goes on, or anybody else restores.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from airflow_codebeamer.errors import (
    ApiError,
    CodebeamerError,
    ForbiddenError,
    LockRefusedError,
    NotFoundError,
    OutcomeUnknownError,
    RateLimitedError,
    ServerError,
)
from airflow_codebeamer.ids import RoleId
from airflow_codebeamer.journal import Entry
from airflow_codebeamer.locking.audit.witness import begin_witness
from airflow_codebeamer.locking.escrow.entrusting import entrust
from airflow_codebeamer.locking.escrow.escrow import Escrow
from airflow_codebeamer.locking.escrow.noticing import NoticeBoard, renew_escrow
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.permissions import NOTHING, Permissions, Rights, freeze
from airflow_codebeamer.locking.pulse import Pulse
from airflow_codebeamer.locking.records.ledger import REDUCE
from airflow_codebeamer.locking.rights.doubts import Doubts
from airflow_codebeamer.locking.rights.floors import Floors
from airflow_codebeamer.locking.rights.late import given_late, list_late, taken_late
from airflow_codebeamer.locking.rights.preflight import (
    Preflight,
    inspect_permissions,
    may_not_read,
)
from airflow_codebeamer.locking.rights.turning import give_turn, grant_writer, keep_turn
from airflow_codebeamer.locking.rights.writing import RoleWriter
from airflow_codebeamer.locking.roles import Phase, RoleEntry
from airflow_codebeamer.locking.states import LockState

__all__ = ["Reducing"]

#: Requests for one role before we believe that it will not change.
_TRIES = 3
_UNDER_WAY = (LockState.GRANTED, LockState.LOCKING)


class Reducing:
    """Takes one granted or half-locked tracker to `held`.

    Raises from `run`, with nothing left reduced: LockRefusedError. With a
    journal that the next try or recovery finishes: everything else.
    """

    def __init__(
        self,
        parts: Parts,
        lock: Lock,
        restore_policy: str = "",
        board: NoticeBoard | None = None,
    ) -> None:
        self._parts = parts
        self._board = board or NoticeBoard(parts, lock.tracker_id)
        self.lock = lock
        self._restore_policy = restore_policy or parts.settings.restore_policy
        self._floors = Floors(parts, lock, tries=_TRIES)
        self._pulse = Pulse(parts, states=_UNDER_WAY)
        self._late: list[Entry] = []
        self._escrow: Escrow | None = None

    def run(self, account: Preflight | None, lease: timedelta) -> Lock:
        """Reduce every role but the exclusive one, verify, and hold."""
        # A throttled account may wait longer for its turn than a lease lasts.
        self._pulse.start(self.lock)
        try:
            return self._run(account, lease)
        finally:
            self._pulse.stop()

    def _run(self, account: Preflight | None, lease: timedelta) -> Lock:
        now = self._first_read()
        if self.lock.state is LockState.GRANTED:
            if account is None:
                raise AssertionError("a granted lock needs a preflight")
            self._judge(account, now)
            account = give_turn(self._parts, self.lock, account)
            self._snapshot(account, now, lease)
        else:
            keep_turn(self._parts, self.lock)
        entries = self._parts.ledger.list_roles(self.lock.lineage)
        if self._escrow is None:
            self._escrow = entrust(self._parts, self.lock, entries.values())
            self._board.post(self.lock, self._escrow, lease)
        self._late = list_late(self._parts, self.lock.tracker_id, self.lock.lineage)
        writer = RoleWriter(self._parts, self.lock, entries, now)
        self._reduce_all(writer)
        self._settle(writer)
        self._floors.judge(writer)
        self._grant(writer)
        self._entrust_again(writer, lease)
        begin_witness(self._parts, self.lock)
        return self._hold(writer, lease)

    def take_again(self, writer: RoleWriter) -> None:
        """Reduce what others granted while the tracker is held, amending first."""
        self._late = list_late(self._parts, self.lock.tracker_id, self.lock.lineage)
        self._reduce_all(writer)
        escrow = entrust(self._parts, self.lock, writer.entries.values())
        renew_escrow(self._parts, self.lock, escrow)

    def _entrust_again(self, writer: RoleWriter, lease: timedelta) -> None:
        roles = writer.entries.values()
        self._escrow = entrust(self._parts, self.lock, roles, self._escrow)
        self._board.post_again(self.lock, self._escrow, lease)

    def _first_read(self) -> Permissions:
        try:
            return self._parts.read(self.lock.tracker_id)
        except (RateLimitedError, ServerError):
            raise
        except ApiError as error:
            raise LockRefusedError(
                self.lock.tracker_id, [may_not_read(error)]
            ) from error

    def _judge(self, account: Preflight, now: Permissions) -> None:
        findings, notes, _ = inspect_permissions(self._parts, account, now)
        replace(account, findings=findings).require()
        for note in notes:
            self._parts.say(f"Tracker {self.lock.tracker_id}: {note}.")

    def _snapshot(self, account: Preflight, now: Permissions, lease: timedelta) -> None:
        entries = [
            RoleEntry(
                role_id,
                now.name_of(role_id),
                original=now.roles[role_id],
                phase=Phase.EXCLUSIVE
                if role_id == account.role_id
                else Phase.UNTOUCHED,
                names=now.names,
            )
            for role_id in sorted(now.roles)
        ]
        self._escrow = entrust(self._parts, self.lock, entries)
        self._board.post(self.lock, self._escrow, lease)
        sent = self._parts.deadlines.now()
        self.lock = self._parts.ledger.open_lineage(
            self.lock,
            entries,
            lease=self._parts.settings.ttl,
            exclusive_role=account.role_name,
            digest=now.digest(),
            policy=self._restore_policy,
        )
        self._parts.deadlines.note(self.lock, sent, self._parts.settings.ttl)

    def _reduce_all(self, writer: RoleWriter) -> None:
        """Reduce in order of role numbers, read everything, until it holds."""
        while True:
            for role_id in sorted(self._roles(writer)):
                self._reduce(writer, role_id)
            writer.read()
            self._floors.accept(writer)
            if not self.list_excess(writer):
                return

    def _settle(self, writer: RoleWriter) -> None:
        """Give requests time that were past the server's check before ours came."""
        settle = self._parts.settings.settle.total_seconds()
        if settle > 0:
            self._parts.clock.sleep(settle)
            writer.read()
            if self.list_excess(writer):
                self._reduce_all(writer)

    def _roles(self, writer: RoleWriter) -> Iterable[RoleId]:
        exclusive = {
            role_id
            for role_id, entry in writer.entries.items()
            if entry.phase is Phase.EXCLUSIVE
        }
        return [role for role in writer.current.roles if role not in exclusive]

    def list_excess(self, writer: RoleWriter) -> dict[RoleId, Rights]:
        """Return what roles may do on a locked tracker although they must not."""
        found = {role: self._excess(writer, role) for role in self._roles(writer)}
        return {role: excess for role, excess in sorted(found.items()) if excess}

    def _excess(self, writer: RoleWriter, role_id: RoleId) -> Rights:
        """Return what a role may do that it must not while the tracker is locked."""
        now = writer.current
        rights = now.of_role(role_id)
        excess = rights - freeze(rights, now.names, self._parts.settings.read_only)
        entry = writer.entries.get(role_id)
        return excess - entry.floor if entry is not None else excess

    def _reduce(self, writer: RoleWriter, role_id: RoleId) -> None:
        for attempt in range(1, _TRIES + 1):
            if not self._excess(writer, role_id):
                return
            if role_id not in writer.entries:
                self._join(writer, role_id)
            entry = self._intended(writer, role_id)
            before = writer.current.of_role(role_id)
            try:
                is_answered = writer.send(REDUCE, entry, self._wanted(writer, role_id))
            except NotFoundError:
                self._check_gone(writer, role_id)
                return
            except ApiError as error:
                raise self._refusal(error, entry) from error
            if is_answered:
                self._floors.note(role_id, before, writer.entries[role_id].observed)
                return
            if attempt == _TRIES and self._excess(writer, role_id):
                raise OutcomeUnknownError(
                    f"The server answered none of {_TRIES} requests to reduce role "
                    f"{entry.name} of tracker {self.lock.tracker_id}; try again, the "
                    "lock goes on where it stopped.",
                    address=self._parts.server,
                    method="PUT",
                )

    def _wanted(self, writer: RoleWriter, role_id: RoleId) -> Rights:
        now = writer.current
        return freeze(now.of_role(role_id), now.names, self._parts.settings.read_only)

    def _intended(self, writer: RoleWriter, role_id: RoleId) -> RoleEntry:
        """Return the entry as it must be on the disk before the request leaves."""
        entry, fresh = writer.entries[role_id], writer.current.of_role(role_id)
        # Nobody meant what a grant of an earlier turn gives when it lands only now.
        fresh -= given_late(self._late, entry, fresh)
        names = {**entry.names, **writer.current.names}
        # What an older request of ours took meanwhile is not somebody's change.
        late = NOTHING if entry.touched else taken_late(self._late, entry, fresh)
        wanted = entry.original if entry.touched else fresh | late
        Doubts(self._parts, self.lock).note(self._late, entry, fresh, wanted)
        fresh |= late
        if self.lock.state is LockState.HELD:
            again = entry.taken_again(fresh, self._wanted(writer, role_id))
            return replace(again, names=names)
        if not entry.touched:
            # What somebody changed between the snapshot and now is the original.
            return replace(
                entry,
                original=fresh,
                base=self._wanted(writer, role_id),
                touched=True,
                phase=Phase.REDUCING,
                names=names,
            )
        # Whoever granted a right meanwhile meant it: it comes back with the rest.
        return replace(
            entry, original=entry.amended(fresh), phase=Phase.REDUCING, names=names
        )

    def _join(self, writer: RoleWriter, role_id: RoleId) -> None:
        entry = RoleEntry(
            role_id,
            writer.current.name_of(role_id),
            original=writer.current.of_role(role_id),
            names=writer.current.names,
        )
        self._parts.ledger.add_role(self.lock, entry, lease=self._parts.settings.ttl)
        writer.entries[role_id] = entry

    def _check_gone(self, writer: RoleWriter, role_id: RoleId) -> None:
        writer.read()
        if writer.current.of_role(role_id) != NOTHING:
            raise LockRefusedError(
                self.lock.tracker_id,
                [f"the server does not find role {writer.entries[role_id].name}"],
            )
        gone = replace(writer.entries[role_id], phase=Phase.GONE)
        self._parts.ledger.keep(
            self.lock,
            gone,
            lease=self._parts.settings.ttl,
            event="role_gone",
            detail={"role": gone.name},
        )
        writer.entries[role_id] = gone

    def _refusal(self, error: ApiError, entry: RoleEntry) -> CodebeamerError:
        if isinstance(error, RateLimitedError):
            return error
        login = self._parts.client.settings.login or "in use"
        if isinstance(error, ForbiddenError):
            finding = (
                f"account {login} may not set permissions: ask for the project "
                'permission "Trackers - Admin"'
            )
        else:
            finding = (
                f"the server refused to reduce role {entry.name} (status {error.status}"
                f"{': ' + error.server_message if error.server_message else ''})"
            )
        return LockRefusedError(self.lock.tracker_id, [finding])

    def _grant(self, writer: RoleWriter) -> None:
        try:
            grant_writer(self._parts, writer)
        except ApiError as error:
            own = [e for e in writer.entries.values() if e.phase is Phase.EXCLUSIVE]
            raise self._refusal(error, own[0]) from error

    def _hold(self, writer: RoleWriter, lease: timedelta) -> Lock:
        self._pulse.stop()
        sent = self._parts.deadlines.now()
        reduced = [
            e.name
            for e in writer.entries.values()
            if e.touched and e.phase is not Phase.EXCLUSIVE
        ]
        held = self._parts.store.hold(
            self.lock,
            lease=lease,
            limit=self._parts.settings.hold_limit,
            detail={"reduced": reduced},
        )
        self._parts.deadlines.note_granted(held, sent, lease)
        return held
