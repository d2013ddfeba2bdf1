"""The write-ahead side of a lock: originals, intents, and what became of them.

Every write here sits in one transaction with the check that the lock is ours
(`LockStore.fenced`), so intent, fence and clock check are one commit, and no
request leaves before it (docs/explanation/locking.md, rules 1 and 3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, insert, update
from sqlalchemy.engine import Connection

from airflow_codebeamer.database import role_journal_table
from airflow_codebeamer.errors import DatabaseError
from airflow_codebeamer.ids import Lineage, PermissionId, RoleId
from airflow_codebeamer.journal import Entry, Journal
from airflow_codebeamer.locking.lock import FREEZE, Lock
from airflow_codebeamer.locking.permissions import (
    Rights,
    rights_from_json,
    rights_to_json,
)
from airflow_codebeamer.locking.records.journalled import list_entries
from airflow_codebeamer.locking.records.rows import entry_values
from airflow_codebeamer.locking.records.store import LockStore
from airflow_codebeamer.locking.roles import RoleEntry

__all__ = ["GRANT", "REDUCE", "RESTORE", "Ledger"]

#: Kinds of intents.
REDUCE = "reduce"
RESTORE = "restore"
GRANT = "grant"

#: Outcomes of intents. An open one is as unsettled as `UNKNOWN`.
ANSWERED = "answered"
REFUSED = "refused"
UNKNOWN = "unknown"

_ADDITION = insert(role_journal_table)
_ROLE = update(role_journal_table).where(
    role_journal_table.c.lineage == bindparam("of_lineage"),
    role_journal_table.c.role_id == bindparam("of_role"),
)
_ROLE_AS_SEEN = _ROLE.where(role_journal_table.c.revision == bindparam("of_revision"))


class Ledger:
    """What the roles of a lineage were, and every value we were about to send."""

    def __init__(self, store: LockStore, journal: Journal) -> None:
        self._store = store
        self._journal = journal

    def list_roles(self, lineage: Lineage | None) -> dict[RoleId, RoleEntry]:
        """Return what is journalled of a lineage's roles, by role number."""
        return list_entries(self._store.database, lineage)

    def open_lineage(
        self,
        lock: Lock,
        entries: Iterable[RoleEntry],
        *,
        lease: timedelta,
        exclusive_role: str,
        digest: str,
        policy: str = "merge",
    ) -> Lock:
        """Write every original down, all or none; the lock is `locking` after it.

        `policy` is the restore policy, kept for whoever restores.

        Raises:
            LockLostError: the lock is not ours any more; nothing was written.
        """
        with self._store.fenced(lock, lease) as connection:
            locking = self._store.to_locking(
                lock, connection, role=exclusive_role, policy=policy
            )
            for entry in entries:
                self._insert(connection, lock, entry)
            self._store.history.record(
                locking, "snapshot", {"digest": digest}, within=connection
            )
        return locking

    def add_role(self, lock: Lock, entry: RoleEntry, *, lease: timedelta) -> None:
        """Write down a role that appeared after the snapshot."""
        with self._store.fenced(lock, lease) as connection:
            self._insert(connection, lock, entry)

    def keep(
        self,
        lock: Lock,
        entry: RoleEntry,
        *,
        lease: timedelta,
        event: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Write down what became of a role, with an event if it is worth one."""
        with self._store.fenced(lock, lease) as connection:
            self._update(connection, lock, entry)
            if event:
                self._store.history.record(lock, event, detail, within=connection)

    def intend(
        self,
        lock: Lock,
        kind: str,
        entry: RoleEntry,
        value: Rights,
        *,
        lease: timedelta,
        amended: str = "",
    ) -> int:
        """Write down what is about to be sent for a role; return its number.

        Of a freeze, which several may watch, the entry's revision rises by one.

        Raises:
            LockLostError: the lock is not ours any more; do not send.
            DatabaseError: the role was amended since it was read; do not send.
        """
        with self._store.fenced(lock, lease) as connection:
            self._update(connection, lock, entry)
            if amended:
                detail = {"role": entry.name, "granted": amended}
                self._store.history.record(lock, "amended", detail, within=connection)
            if lock.mode == FREEZE:
                # Another watch of it that read before us writes nothing over this.
                self._set(connection, lock, entry.role_id, revision=entry.revision + 1)
            return self._journal.begin(
                str(lock.lineage),
                kind,
                str(entry.role_id),
                rights_to_json(value, entry.names),
                epoch=lock.epoch,
                within=connection,
            )

    def ask(
        self,
        lock: Lock,
        entry: RoleEntry,
        *,
        lease: timedelta,
        event: str,
        detail: Mapping[str, Any],
    ) -> None:
        """Write down that a role waits for a person; an older answer is void.

        Raises:
            LockLostError: the lock is not ours any more.
        """
        with self._store.fenced(lock, lease) as connection:
            self._update(connection, lock, entry)
            self._set(connection, lock, entry.role_id, answer="")
            self._store.history.record(lock, event, detail, within=connection)

    def amend(
        self,
        seen: Lock,
        entry: RoleEntry,
        *,
        added: Rights,
        removed: Rights,
        names: Mapping[PermissionId, str],
        detail: Mapping[str, Any],
        by: str,
    ) -> None:
        """Change a role's original on a person's word, as the lock was seen.

        Raises:
            LockLostError: the lock has moved on; nothing was written.
            DatabaseError: somebody else amended the role meanwhile.
        """
        first = entry.first_original
        entry = replace(
            entry,
            original=(entry.original | added) - removed,
            first_original=None if first is None else (first | added) - removed,
            granted=entry.granted - removed,
            names={**names, **entry.names},
        )
        with self._store.unmoved(seen) as connection:
            self._update(connection, seen, entry)
            self._set(connection, seen, entry.role_id, revision=entry.revision + 1)
            self._store.history.record(
                seen, "amended", detail, who=by, within=connection
            )

    def answer(
        self,
        seen: Lock,
        role_id: RoleId,
        take: str,
        *,
        detail: Mapping[str, Any],
        by: str,
    ) -> None:
        """Write down what a person decided of a role that waits.

        Raises:
            LockLostError: the lock has moved on; nothing was written.
        """
        with self._store.unmoved(seen) as connection:
            self._set(connection, seen, role_id, answer=take)
            self._store.history.record(
                seen, "answered", detail, who=by, within=connection
            )

    def answered(
        self, lock: Lock, number: int, entry: RoleEntry, *, lease: timedelta
    ) -> None:
        """Write down that a request was answered, and what that says of the role."""
        with self._store.fenced(lock, lease) as connection:
            self._journal.finish(number, {"result": ANSWERED}, within=connection)
            self._update(connection, lock, entry)

    def refused(self, number: int, why: str) -> None:
        """Write down that a request certainly had no effect."""
        self._journal.finish(number, {"result": REFUSED, "why": why})

    def unanswered(
        self,
        lock: Lock,
        number: int,
        *,
        lease: timedelta,
        lock_delay: timedelta,
        why: str,
    ) -> None:
        """Write down that a request may have had an effect, or may yet have it."""
        with self._store.fenced(lock, lease) as connection:
            self._journal.finish(
                number, {"result": UNKNOWN, "why": why}, within=connection
            )
            self._store.mark_dirty(lock, connection, lock_delay)
            self._store.history.record(
                lock, "request_unanswered", {"why": why}, within=connection
            )

    def begin(self, lock: Lock, kind: str, key: str, *, lease: timedelta) -> int:
        """Write down what is about to be done to something else than a role.

        Raises:
            LockLostError: the lock is not ours any more; do not do it.
        """
        with self._store.fenced(lock, lease) as connection:
            return self._journal.begin(
                str(lock.lineage), kind, key, None, epoch=lock.epoch, within=connection
            )

    def finish(self, lock: Lock, number: int, *, lease: timedelta) -> None:
        """Write down that it was answered."""
        with self._store.fenced(lock, lease) as connection:
            self._journal.finish(number, {"result": ANSWERED}, within=connection)

    def list_intents(
        self, lineage: Lineage | None, kind: str, key: str = ""
    ) -> list[Entry]:
        """Return what was about to be done under a lineage, of one kind."""
        if lineage is None:
            return []
        found = self._journal.list_entries(lineage, kind=kind)
        return [entry for entry in found if key in ("", entry.key)]

    def list_unsettled(
        self, *lineages: Lineage, kind: str | Sequence[str] | None = None
    ) -> list[Entry]:
        """Return the intents of which nobody knows whether they took effect."""
        return [
            entry
            for entry in self._journal.list_entries(*lineages, kind=kind)
            if entry.is_open or entry.outcome.get("result") == UNKNOWN
        ]

    def list_unsure(self, lineage: Lineage | None, role_id: RoleId) -> list[Entry]:
        """Return a role's unsettled intents since the last that was answered."""
        found: list[Entry] = []
        for entry in self._journal.list_entries(lineage) if lineage else ():
            if entry.key != str(role_id):
                continue
            result = "" if entry.is_open else entry.outcome.get("result")
            if result == ANSWERED:
                found.clear()
            elif result != REFUSED:
                found.append(entry)
        return found

    def list_open(self, lineage: Lineage | None) -> list[Entry]:
        """Return the intents whose sender died, or is still waiting."""
        if lineage is None:
            return []
        return self._journal.list_entries(lineage, open_only=True)

    def _insert(self, connection: Connection, lock: Lock, entry: RoleEntry) -> None:
        identity = {"lineage": lock.lineage, "epoch": lock.epoch}
        connection.execute(_ADDITION, {**identity, **entry_values(entry)})

    def _set(
        self, connection: Connection, lock: Lock, role_id: RoleId, **values: Any
    ) -> None:
        which = {"of_lineage": lock.lineage, "of_role": role_id}
        connection.execute(_ROLE, {**which, **values})

    def _update(self, connection: Connection, lock: Lock, entry: RoleEntry) -> None:
        changed = connection.execute(
            _ROLE_AS_SEEN,
            {
                "of_lineage": lock.lineage,
                "of_role": entry.role_id,
                "of_revision": entry.revision,
                "epoch": lock.epoch,
                **entry_values(entry),
            },
        ).rowcount
        if changed != 1:
            raise DatabaseError(
                f"The original of role {entry.name} was amended meanwhile, or its "
                "record is gone; look again before writing."
            )


def value_of(entry: Entry) -> Rights:
    """Return the rights that an intent was about to set."""
    rights: Rights = rights_from_json(entry.intent)[0]
    return rights
