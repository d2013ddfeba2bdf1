"""The history of a tracker's locks: events, only ever added to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Insert, RowMapping, bindparam, insert, select
from sqlalchemy.engine import Connection

from airflow_codebeamer.database import Database, event_table
from airflow_codebeamer.ids import Epoch, Lineage, TrackerId
from airflow_codebeamer.locking.lock import Lock

__all__ = ["OPENED", "Event", "History"]

#: An event of a lineage that another store has lost: its escrow was opened, to be
#: restored in the lineage that the event names.
OPENED = "escrow_opened"

_EVENTS = (
    select(event_table)
    .where(
        event_table.c.server == bindparam("of_server"),
        event_table.c.tracker_id == bindparam("of_tracker"),
    )
    .order_by(event_table.c.number)
)
_OF_KINDS = event_table.c.kind.in_(bindparam("kinds", expanding=True))
_SINCE = _EVENTS.where(event_table.c.at >= bindparam("since"))
_SINCE_OF_KINDS = _SINCE.where(_OF_KINDS)
_LINEAGES_SINCE = (
    _SINCE.with_only_columns(event_table.c.lineage)
    .where(event_table.c.lineage.is_not(None))
    .order_by(None)
    .distinct()
)
_LAST = (
    _EVENTS.where(_OF_KINDS)
    .order_by(None)
    .order_by(event_table.c.number.desc())
    .limit(1)
)
_OF_LINEAGE = (
    select(event_table)
    .where(
        event_table.c.lineage == bindparam("of_lineage"),
        event_table.c.kind.in_(bindparam("kinds", expanding=True)),
    )
    .order_by(event_table.c.number)
)
_LAST_OF_LINEAGE = (
    _OF_LINEAGE.order_by(None).order_by(event_table.c.number.desc()).limit(1)
)


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
        statement = _addition(self._database.now)
        event = {
            "server": lock.server,
            "tracker_id": lock.tracker_id,
            "epoch": lock.epoch,
            "lineage": lock.lineage,
            "kind": kind,
            "who": who or lock.owner.key,
            "detail": dict(detail or {}),
        }
        if within is not None:
            within.execute(statement, event)
            return
        with self._database.begin() as connection:
            connection.execute(statement, event)

    def list_events(self, server: str, tracker_id: TrackerId) -> list[Event]:
        """Return a tracker's events, the oldest first."""
        which = {"of_server": server, "of_tracker": tracker_id}
        with self._database.read() as connection:
            rows = connection.execute(_EVENTS, which).mappings()
            return [_event(row) for row in rows]

    def list_recent(
        self, server: str, tracker_id: TrackerId, since: datetime, *kinds: str
    ) -> list[Event]:
        """Return a tracker's events of these kinds since then, the oldest first."""
        which = {
            "of_server": server,
            "of_tracker": tracker_id,
            "since": since.timestamp(),
            "kinds": kinds,
        }
        with self._database.read() as connection:
            rows = connection.execute(_SINCE_OF_KINDS, which).mappings()
            return [_event(row) for row in rows]

    def list_lineages(
        self, server: str, tracker_id: TrackerId, since: datetime
    ) -> set[Lineage]:
        """Return under which lineages something happened to a tracker since then."""
        which = {
            "of_server": server,
            "of_tracker": tracker_id,
            "since": since.timestamp(),
        }
        with self._database.read() as connection:
            return set(connection.scalars(_LINEAGES_SINCE, which))

    def find_last(
        self, server: str, tracker_id: TrackerId, *kinds: str
    ) -> Event | None:
        """Return the last event of a tracker that is of one of these kinds."""
        which = {"of_server": server, "of_tracker": tracker_id, "kinds": kinds}
        with self._database.read() as connection:
            row = connection.execute(_LAST, which).mappings().one_or_none()
        return None if row is None else _event(row)

    def list_lineage(self, lineage: Lineage, *kinds: str) -> list[Event]:
        """Return the events of these kinds in a lineage, the oldest first."""
        which = {"of_lineage": lineage, "kinds": kinds}
        with self._database.read() as connection:
            rows = connection.execute(_OF_LINEAGE, which).mappings()
            return [_event(row) for row in rows]

    def find_event(self, lineage: Lineage | None, kind: str) -> Event | None:
        """Return the last event of that kind in a lineage, or None."""
        if lineage is None:
            return None
        which = {"of_lineage": lineage, "kinds": (kind,)}
        with self._database.read() as connection:
            row = connection.execute(_LAST_OF_LINEAGE, which).mappings().one_or_none()
        return None if row is None else _event(row)


@lru_cache(maxsize=8)
def _addition(now: ColumnElement[float]) -> Insert:
    """Return the insertion of an event, for a store with that time."""
    return insert(event_table).values(at=now)


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
