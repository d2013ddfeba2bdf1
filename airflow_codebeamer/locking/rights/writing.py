"""The one place that sends role permissions, and what it makes of the answers.

Each request is preceded by the commit of its intent together with the check
that the lock is ours; and since it may then wait long for its turn, each try asks
once more, by our own deadline, right before it leaves. An answer that holds every
role is at once the read-back of this request and the fresh read of the next role,
which is why a lock costs one request for each role that may write, and two reads.
Where the answer holds less, the server is read after each request.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial

from airflow_codebeamer.errors import (
    ApiError,
    ContractError,
    DatabaseError,
    LockLostError,
    NotSentError,
    RateLimitedError,
    ServerError,
    TransportError,
)
from airflow_codebeamer.ids import RoleId
from airflow_codebeamer.locking.lock import FREEZE, Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.permissions import (
    NOTHING,
    Permissions,
    Rights,
    request_of,
    spell,
)
from airflow_codebeamer.locking.records.ledger import RESTORE
from airflow_codebeamer.locking.roles import Phase, RoleEntry

__all__ = ["RoleWriter"]


class RoleWriter:
    """Sends permissions of single roles under one lock, and keeps what it saw.

    `current` is what the server showed last, `entries` the journal as stored.
    """

    def __init__(
        self,
        parts: Parts,
        lock: Lock,
        entries: dict[RoleId, RoleEntry],
        current: Permissions,
    ) -> None:
        self.lock = lock
        self.entries = entries
        self.current = current
        self._parts = parts

    def read(self) -> Permissions:
        """Ask the server for every role; names that it shows are remembered."""
        self.current = self._parts.read(self.lock.tracker_id)
        return self.current

    def send(self, kind: str, entry: RoleEntry, value: Rights) -> bool:
        """Write the intent down, send it; return whether an answer came.

        `entry` is what the journal shall say from before the request on. Without
        an answer the tracker is marked (a late effect is waited out before it is
        freed) and the server is read: `current` says what is true then.

        Raises:
            LockLostError: nothing was sent, or nothing that was accepted.
            ApiError: the server refused; nothing was changed.
            NotSentError, RateLimitedError: it was never accepted.
        """
        entry = replace(entry, names={**self.current.names, **entry.names})
        is_first = not self.entries[entry.role_id].touched
        number = self._intend(kind, entry, value)
        try:
            answer = self._parts.client.trackers.set_role_permissions(
                self.lock.tracker_id,
                entry.role_id,
                request_of(value, entry.names),
                before=partial(self._parts.deadlines.check, self.lock),
            )
        except LockLostError as error:
            # Whoever breaks the lock need not wait for it; lost is lost without.
            with suppress(DatabaseError):
                self._parts.ledger.refused(number, type(error).__name__)
            raise
        except (NotSentError, RateLimitedError) as error:
            self._parts.ledger.refused(number, type(error).__name__)
            raise
        except (TransportError, ServerError, ContractError) as error:
            self._lose(number, error)
            return False
        except ApiError as error:
            self._parts.ledger.refused(number, f"status {error.status}")
            raise
        entry, shown = self.entries[entry.role_id], Permissions.of(answer)
        self._settle(number, entry, value, shown, is_first=is_first and kind != RESTORE)
        self.current = shown if self._is_whole(shown) else self.read()
        return True

    def _intend(self, kind: str, entry: RoleEntry, value: Rights) -> int:
        parts, lease = self._parts, self._parts.settings.ttl
        sent = parts.deadlines.now()
        number = parts.ledger.intend(
            self.lock, kind, entry, value, lease=lease, amended=self._amended(entry)
        )
        parts.deadlines.note(self.lock, sent, lease)
        revision = entry.revision + (self.lock.mode == FREEZE)
        self.entries[entry.role_id] = replace(entry, revision=revision)
        return number

    def _amended(self, entry: RoleEntry) -> str:
        known = self.entries[entry.role_id]
        more = entry.original - known.original if known.touched else NOTHING
        return spell(more, entry.names)

    def _lose(self, number: int, error: Exception) -> None:
        settings = self._parts.settings
        self._parts.ledger.unanswered(
            self.lock,
            number,
            lease=settings.ttl,
            lock_delay=settings.lock_delay,
            why=type(error).__name__,
        )
        self.read()

    def _settle(
        self,
        number: int,
        entry: RoleEntry,
        value: Rights,
        shown: Permissions,
        *,
        is_first: bool,
    ) -> None:
        seen = shown.of_role(entry.role_id)
        base = entry.base
        if is_first and (entry.role_id in shown.roles or self._is_whole(shown)):
            # A server may normalise what it is sent: what it made of it is the
            # base of the merge, or its doing would pass for a person's. A role
            # that a whole answer does not list has nothing left.
            base = seen
        entry = replace(
            entry,
            base=base,
            observed=seen,
            phase=_after(entry.phase, is_as_sent=seen == value),
            names={**shown.names, **entry.names},
        )
        self._parts.ledger.answered(
            self.lock, number, entry, lease=self._parts.settings.ttl
        )
        self.entries[entry.role_id] = entry

    def _is_whole(self, shown: Permissions) -> bool:
        """Return whether an answer holds every role that the server would list."""
        listed = [role for role, rights in self.current.roles.items() if rights]
        missing = [role for role in listed if role not in shown.roles]
        return all(self._may_be_unlisted(role) for role in missing)

    def _may_be_unlisted(self, role_id: RoleId) -> bool:
        entry = self.entries.get(role_id)
        return entry is not None and entry.touched and not entry.observed

    def spell(self, rights: Rights) -> str:
        """Return rights by name, for people."""
        names = dict(self.current.names)
        for entry in self.entries.values():
            names.update({k: v for k, v in entry.names.items() if v})
        return spell(rights, names)


def _after(phase: Phase, *, is_as_sent: bool) -> Phase:
    if phase is Phase.REDUCING:
        return Phase.REDUCED
    if phase is Phase.RESTORING and is_as_sent:
        return Phase.RESTORED
    return phase
