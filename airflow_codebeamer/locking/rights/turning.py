"""Gives the writer of a lock his rights, and hands them to the other at a take-over.

The one place that gives a role more than it had: the two roles exist for that.
Both are journalled like any other, so whoever restores takes it back.
"""

from __future__ import annotations

from dataclasses import replace

from airflow_codebeamer.errors import OutcomeUnknownError, RestorePendingError
from airflow_codebeamer.ids import RoleId
from airflow_codebeamer.journal import Runs
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.permissions import Permissions, Rights, freeze
from airflow_codebeamer.locking.records.history import Event
from airflow_codebeamer.locking.records.ledger import GRANT, RESTORE
from airflow_codebeamer.locking.rights.preflight import Preflight
from airflow_codebeamer.locking.rights.writing import RoleWriter
from airflow_codebeamer.locking.roles import Phase, RoleEntry
from airflow_codebeamer.locking.rotation import WRITER, Turn

__all__ = ["fence_writer", "give_turn", "grant_writer", "keep_turn"]

_TRIES = 3


def give_turn(parts: Parts, lock: Lock, account: Preflight) -> Preflight:
    """Return the preflight with the role whose turn it is, written down."""
    if parts.rotation is None:
        return account
    turn = parts.rotation.choose(parts.history, lock)
    _tell(parts, lock, turn)
    number = dict(account.writers)[turn.writer.role]
    return replace(account, role_id=number, role_name=turn.writer.role)


def keep_turn(parts: Parts, lock: Lock) -> None:
    """Write down that whoever goes on with a half-taken lock keeps its turn."""
    if parts.rotation is None:
        return
    last = parts.history.find_event(lock.lineage, WRITER)
    if last is None or last.epoch == lock.epoch:
        return
    parts.history.record(lock, WRITER, last.detail)


def grant_writer(parts: Parts, writer: RoleWriter) -> None:
    """Give the role of this turn what it writes with; nothing without rotation.

    Call it when every other role is reduced and read back.

    Raises:
        OutcomeUnknownError: the server answered none of the requests.
        ApiError: it refused.
    """
    if parts.rotation is None:
        return
    own = [e for e in writer.entries.values() if e.phase is Phase.EXCLUSIVE]
    for entry in own:
        _grant(parts, writer, entry)


def fence_writer(parts: Parts, lock: Lock) -> None:
    """Take the right to write from a holder who was taken over, before all else.

    From the confirmed answer on the server refuses him. If a run of his is to be
    undone, the other account gets its turn for it.

    Raises:
        RestorePendingError: the role does not become what it was.
        CodebeamerError: as any request of a restore.
    """
    rotation, history = parts.rotation, parts.history
    if rotation is None or not rotation.is_taken_over(history, lock):
        return
    writer = RoleWriter(
        parts, lock, parts.ledger.list_roles(lock.lineage), Permissions({})
    )
    writer.read()
    granted = {event.detail["role"] for event in _turns(parts, lock)}
    for entry in list(writer.entries.values()):
        if entry.is_owed and any(_is_of(entry, role) for role in granted):
            _take_back(parts, writer, entry)
    if not Runs(parts.store.database).list_open(
        lock.server, lock.tracker_id, lineage=lock.lineage
    ):
        return
    turn = rotation.choose(history, lock)
    _tell(parts, lock, turn)
    for entry in list(writer.entries.values()):
        if _is_of(entry, turn.writer.role):
            _grant(parts, writer, entry)


def _grant(parts: Parts, writer: RoleWriter, entry: RoleEntry) -> None:
    names = {one.id: one.name for one in parts.client.trackers.list_known_permissions()}
    wanted = frozenset(
        number for number, name in names.items() if name in parts.settings.writing
    )
    for _ in range(_TRIES):
        now = writer.current.of_role(entry.role_id)
        if wanted <= now:
            return
        known = writer.entries[entry.role_id]
        is_fresh = not known.touched or known.phase is Phase.RESTORED
        original = now if is_fresh else known.original
        sent = replace(
            known,
            original=original,
            base=original | wanted,
            touched=True,
            phase=Phase.EXCLUSIVE,
            names={**names, **known.names},
        )
        writer.send(GRANT, sent, now | wanted)
    if not wanted <= writer.current.of_role(entry.role_id):
        raise OutcomeUnknownError(
            f"The server answered none of {_TRIES} requests to let role {entry.name} "
            f"write to tracker {writer.lock.tracker_id}; try again, the lock goes on "
            "where it stopped.",
            address=parts.server,
            method="PUT",
        )


def _take_back(parts: Parts, writer: RoleWriter, entry: RoleEntry) -> None:
    """Restore a role that wrote, and read it back."""
    for _ in range(_TRIES):
        now = writer.current.of_role(entry.role_id)
        if now == (wanted := writer.entries[entry.role_id].back(now)):
            return
        known = writer.entries[entry.role_id]
        sent = replace(known, merged=wanted, phase=Phase.RESTORING)
        writer.send(RESTORE, sent, wanted)
    if _writes(parts, writer, entry.role_id):
        raise RestorePendingError(
            writer.lock.tracker_id,
            [f"role {entry.name} still writes"],
            may_pass=True,
        )


def _is_of(entry: RoleEntry, role: str) -> bool:
    return role in (entry.name, str(entry.role_id))


def _writes(parts: Parts, writer: RoleWriter, role_id: RoleId) -> Rights:
    now = writer.current
    rights = now.of_role(role_id)
    return rights - freeze(rights, now.names, parts.settings.read_only)


def _turns(parts: Parts, lock: Lock) -> list[Event]:
    if lock.lineage is None:
        return []
    return parts.history.list_lineage(lock.lineage, WRITER)


def _tell(parts: Parts, lock: Lock, turn: Turn) -> None:
    if parts.rotation is not None:
        parts.rotation.record(parts.history, lock, turn)
    line = f"Tracker {lock.tracker_id}: account {turn.writer.login} writes"
    if turn.is_reused:
        line += (
            "; its last holder was taken over, and so was the other account's: make "
            "sure that he is dead"
        )
    parts.say(f"{line}.")
