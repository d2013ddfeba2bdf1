"""The history of a tracker's locks: events, only ever added to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping, insert, select
from sqlalchemy.engine import Connection

from airflow_codebeamer.database import Database, event_table
from airflow_codebeamer.ids import Epoch, Lineage, TrackerId
from airflow_codebeamer.locking.lock import Lock

__all__ = ["OPENED", "Event", "History"]

#: An event of a lineage that another store has lost: its escrow was opened, to be
#: restored in the lineage that the event names.
OPENED = "escrow_opened"


@dataclass(frozen=True)
class Event:
    """Something that happened to a tracker's lock; `detail` is for people."""

    number: int
    at: datetime
    server: str
    tracker_id: TrackerId
    epoch: Epoch
    kind: str
    who: str = ""
    lineage: Lineage | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


class History:
    """Writes and reads events; each is part of the change that it tells of."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self,
        lock: Lock,
        kind: str,
        detail: Mapping[str, Any] | None = None,
        *,
        who: str = "",
        within: Connection | None = None,
    ) -> None:
        """Add an event about a lock, in the caller's transaction if there is one."""
        statement = insert(event_table).values(
            server=lock.server,
            tracker_id=lock.tracker_id,
            epoch=lock.epoch,
            lineage=lock.lineage,
            at=self._database.now,
            kind=kind,
            who=who or lock.owner.key,
            detail=dict(detail or {}),
        )
        if within is not None:
            within.execute(statement)
            return
        with self._database.begin() as connection:
            connection.execute(statement)

    def list_events(
        self, server: str, tracker_id: TrackerId, *, since: datetime | None = None
    ) -> list[Event]:
        """Return a tracker's events, the oldest first."""
        statement = (
            select(event_table)
            .where(
                event_table.c.server == server, event_table.c.tracker_id == tracker_id
            )
            .order_by(event_table.c.number)
        )
        if since is not None:
            statement = statement.where(event_table.c.at >= since.timestamp())
        with self._database.read() as connection:
            return [_event(row) for row in connection.execute(statement).mappings()]

    def find_last(
        self, server: str, tracker_id: TrackerId, *kinds: str
    ) -> Event | None:
        """Return the last event of a tracker that is of one of these kinds."""
        statement = (
            select(event_table)
            .where(
                event_table.c.server == server,
                event_table.c.tracker_id == tracker_id,
                event_table.c.kind.in_(kinds),
            )
            .order_by(event_table.c.number.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(statement).mappings().one_or_none()
        return None if row is None else _event(row)

    def list_lineage(self, lineage: Lineage, kind: str) -> list[Event]:
        """Return the events of that kind in a lineage, the oldest first."""
        statement = (
            select(event_table)
            .where(event_table.c.lineage == lineage, event_table.c.kind == kind)
            .order_by(event_table.c.number)
        )
        with self._database.read() as connection:
            return [_event(row) for row in connection.execute(statement).mappings()]

    def find_event(self, lineage: Lineage | None, kind: str) -> Event | None:
        """Return the last event of that kind in a lineage, or None."""
        statement = (
            select(event_table)
            .where(event_table.c.lineage == lineage, event_table.c.kind == kind)
            .order_by(event_table.c.number.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(statement).mappings().one_or_none()
        return None if row is None else _event(row)


def _event(row: RowMapping) -> Event:
    return Event(
        number=row["number"],
        at=datetime.fromtimestamp(row["at"], UTC),
        server=row["server"],
        tracker_id=TrackerId(row["tracker_id"]),
        epoch=Epoch(row["epoch"]),
        kind=row["kind"],
        who=row["who"],
        lineage=row["lineage"],
        detail=row["detail"] or {},
    )
