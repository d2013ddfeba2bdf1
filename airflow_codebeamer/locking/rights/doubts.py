"""What somebody may have revoked although we give it back: told, since nobody can know.

While a request of ours has no answer, a role that lacks some of what the request takes
and has others of it has two pasts: the request took effect and somebody gave the others
back, or it did not and somebody revoked what is missing. No answer of the server tells
them apart. The right comes back, since a lock must not cost anybody a right, and a
sentence says what may have been revoked. A role that lacks all of it is as
our request leaves it: that is no doubt (decision record 0039).
"""

from __future__ import annotations

from collections.abc import Iterable

from airflow_codebeamer.ids import RoleId
from airflow_codebeamer.journal import Entry
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.parts import Parts
from airflow_codebeamer.locking.permissions import (
    NOTHING,
    Rights,
    rights_to_json,
    spell,
)
from airflow_codebeamer.locking.records.ledger import REDUCE, value_of
from airflow_codebeamer.locking.rights.drift import DOUBT
from airflow_codebeamer.locking.roles import Phase, RoleEntry

__all__ = ["Doubts", "taken_in_part"]


def taken_in_part(takes: Iterable[Rights], missing: Rights, now: Rights) -> Rights:
    """Return what is missing of requests that took effect in part, if they did; pure.

    `takes` is what each request takes away. What one explains that took all of its own
    is not in here.
    """
    doubted = explained = NOTHING
    for taken in takes:
        if taken & now:
            doubted |= taken & missing
        else:
            explained |= taken & missing
    return doubted - explained


class Doubts:
    """Writes down, once for each role, what may have been revoked under one lock.

    Asks the store only where a role is in such a state, and never the server.
    """

    def __init__(self, parts: Parts, lock: Lock, *, by: str = "") -> None:
        self._parts = parts
        self._lock = lock
        self._by = by

    def note(
        self, late: Iterable[Entry], entry: RoleEntry, now: Rights, wanted: Rights
    ) -> None:
        """Note what of `wanted` a role lacks now, if a person may have meant it.

        Before its next request: nobody can tell after that. `late` are the requests of
        any lock of which nobody knows whether they landed.
        """
        if entry.touched and entry.phase is not Phase.RESTORED:
            base = entry.original if entry.base is None else entry.base
            takes = entry.original - base
            missing = takes & wanted - now
            if missing and takes & now and self._is_unsure(entry.role_id):
                self._tell(entry, missing)
            return
        older = [
            entry.left - value_of(intent)
            for intent in late
            if intent.key == str(entry.role_id)
        ]
        if missing := taken_in_part(older, wanted - now, now):
            self._tell(entry, missing)

    def _is_unsure(self, role_id: RoleId) -> bool:
        """Whether nobody can have seen what the last requests for a role did.

        Who held the lock had read every role as reduced.
        """
        lineage = self._lock.lineage
        unsure = self._parts.ledger.list_unsure(lineage, role_id)
        held = self._parts.history.find_event(lineage, "hold")
        return any(
            intent.kind != REDUCE or held is None or intent.begun_at > held.at
            for intent in unsure
        )

    def _tell(self, entry: RoleEntry, missing: Rights) -> None:
        lineage, history = self._lock.lineage, self._parts.history
        if lineage is None:
            return
        rights = rights_to_json(missing, entry.names)
        for event in history.list_lineage(lineage, DOUBT):
            same = event.detail["rights"] == rights
            if same and event.detail["role_id"] == entry.role_id:
                return
        lost = spell(missing, entry.names)
        what = (
            f"role {entry.name}: somebody may have revoked {lost}; it was given back, "
            "because a request of ours without an answer explains it too: revoke it "
            "again if that was meant"
        )
        detail = {
            "role": entry.name,
            "role_id": entry.role_id,
            "rights": rights,
            "what": what,
        }
        history.record(self._lock, DOUBT, detail, who=self._by)
