"""LockStatus: looks, never acts; for the sensor, the trigger and the CLI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking.audit.witness import BEGAN, CERTIFIED, ENDED
from airflow_codebeamer.locking.certificate import Certificate
from airflow_codebeamer.locking.death import Death, find_death
from airflow_codebeamer.locking.decisions import Decision, decisions_of
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.quarantine import list_left
from airflow_codebeamer.locking.records.history import Event
from airflow_codebeamer.locking.records.journalled import list_owed
from airflow_codebeamer.locking.records.store import LockStore
from airflow_codebeamer.locking.records.ticket import Ticket
from airflow_codebeamer.locking.rights.drift import DRIFT, TAKEN, Drift, list_drift
from airflow_codebeamer.locking.rights.owed import OwedRights
from airflow_codebeamer.locking.rights.questions import Question, list_questions
from airflow_codebeamer.locking.rights.why import Taking, list_takings

__all__ = ["LockStatus"]


class LockStatus:
    """What the store says about locks; asks no server."""

    def __init__(self, records: LockStore) -> None:
        self._records = records

    def find(self, server: str, tracker_id: TrackerId) -> Lock | None:
        """Return a tracker's record, None if it was never locked."""
        return self._records.find(server, tracker_id)

    def list_locks(self, server: str | None = None) -> list[Lock]:
        """Return every lock that is not free, of one server or of all.

        A freeze is listed for each who shares it.
        """
        owned = [
            lock for lock in self._records.list_locks(server) if lock.state.is_owned
        ]
        return [one for lock in owned for one in self.list_sharers(lock) or [lock]]

    def list_sharers(self, lock: Lock) -> list[Lock]:
        """Return a freeze as each who shares it has it; [] of any other lock."""
        return self._records.list_holders(lock) if lock.mode else []

    def list_tickets(
        self, server: str | None = None, tracker_id: TrackerId | None = None
    ) -> list[Ticket]:
        """Return who waits for what, in the order of their places."""
        return self._records.queue.list_tickets(server, tracker_id)

    def history(self, server: str, tracker_id: TrackerId) -> list[Event]:
        """Return what happened to a tracker's locks, the oldest first.

        Lists of items, kept for the certificate, are left out.
        """
        events = self._records.history.list_events(server, tracker_id)
        return [replace(event, detail=_short(event)) for event in events]

    def list_owed(self, lock: Lock) -> list[str]:
        """Return the names of the roles that a lock reduced and has not given back."""
        return [entry.name for entry in list_owed(self._records.database, lock)]

    def list_owed_rights(self, lock: Lock) -> list[OwedRights]:
        """Return which rights roles have still to get back, as the journal knows.

        Not promised: that they lack them now. A request may have been answered to
        nobody, and an administrator may have given some back.
        """
        return [
            OwedRights.of(entry) for entry in list_owed(self._records.database, lock)
        ]

    def list_decisions(self, lock: Lock) -> list[Decision]:
        """Return what people decided about a lock, the oldest first."""
        events = self._records.history.list_events(lock.server, lock.tracker_id)
        return decisions_of(e for e in events if e.lineage == lock.lineage)

    def find_death(self, lock: Lock) -> Death | None:
        """Return whose death a tracker's record tells of, None if of nobody's."""
        return find_death(self._records.history, lock)

    def list_questions(self, lock: Lock) -> list[Question]:
        """Return what of a lock's restore waits for a person's answer."""
        return list_questions(self._records.database, self._records.history, lock)

    def list_quarantine(self, lock: Lock) -> list[str]:
        """Return what of a run keeps its tracker locked; [] if nothing does."""
        return list_left(self._records.history, lock)

    def list_drift(self, lock: Lock) -> list[Drift]:
        """Return the write rights that were seen while this lock was held."""
        if lock.lineage is None or not lock.state.is_owned:
            return []
        history = self._records.history
        return list_drift(history.list_lineage(lock.lineage, DRIFT, TAKEN))

    def list_takings(
        self, server: str, tracker_id: TrackerId, role: str, permission: str = ""
    ) -> list[Taking]:
        """Return what locks took from a role, and when it came back, the oldest first.

        With a permission, by name or id, only of the locks that took it.

        Raises:
            ConfigurationError: no lock of this tracker has seen such a role.
        """
        records = self._records
        return list_takings(
            records.database, records.history, server, tracker_id, role, permission
        )

    def list_certificates(
        self, server: str, tracker_id: TrackerId
    ) -> list[Certificate]:
        """Return the certificates of a tracker's locks, the oldest first."""
        return [
            Certificate.from_json(event.detail)
            for event in self._records.history.list_events(server, tracker_id)
            if event.kind == CERTIFIED
        ]


def _short(event: Event) -> Mapping[str, Any]:
    long = {
        BEGAN: ("packed", "places", "comments", "hung"),
        ENDED: ("found",),
        CERTIFIED: ("changes",),
    }
    left_out = long.get(event.kind, ())
    return {k: v for k, v in event.detail.items() if k not in left_out}
