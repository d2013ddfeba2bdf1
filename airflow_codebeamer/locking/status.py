"""LockStatus: looks, never acts; for the sensor, the trigger and the CLI."""

from __future__ import annotations

from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking.history import Event
from airflow_codebeamer.locking.lock import Lock
from airflow_codebeamer.locking.records import LockRecords

__all__ = ["LockStatus"]


class LockStatus:
    """What the store says about locks; asks no server."""

    def __init__(self, records: LockRecords) -> None:
        self._records = records

    def find(self, server: str, tracker_id: TrackerId) -> Lock | None:
        """Return a tracker's record, None if it was never locked."""
        return self._records.find(server, tracker_id)

    def list_locks(self, server: str | None = None) -> list[Lock]:
        """Return every lock that is not free, of one server or of all."""
        return [
            lock for lock in self._records.list_locks(server) if lock.state.is_owned
        ]

    def history(self, server: str, tracker_id: TrackerId) -> list[Event]:
        """Return what happened to a tracker's locks, the oldest first."""
        return self._records.history.list_events(server, tracker_id)
