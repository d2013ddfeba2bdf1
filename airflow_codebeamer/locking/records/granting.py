"""How free trackers get an owner: the one way into the record of a lock, and out.

Several trackers are granted in one transaction, in ascending order: either each
was free and has its owner, or none was changed. So nobody holds one tracker while
he waits for another, and no two can wait for each other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement
from sqlalchemy.engine import Connection

from airflow_codebeamer.database import insert_missing, lock_table
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking.lock import Lock, Owner
from airflow_codebeamer.locking.records.records import LockRecords
from airflow_codebeamer.locking.records.transitions import SCOPE, Detail, find_row
from airflow_codebeamer.locking.states import LockState

__all__ = ["NOBODY", "UNBROKEN", "Grants", "named"]

#: What the record of a tracker says when nobody has it.
NOBODY: dict[str, Any] = {
    "owner_key": "",
    "owner": None,
    "reason": "",
    "members": None,
    "strategy": "",
    "options": None,
    "mode": "",
    "lease_until": None,
    "hold_until": None,
    "acquired_at": None,
    "dirty_put_until": None,
}
UNBROKEN: dict[str, Any] = {
    "breaking_by": None,
    "breaking_reason": None,
    "breaking_since": None,
    "breaking_until": None,
}


class Grants(LockRecords):
    """Gives free trackers to owners, and takes back what was never touched."""

    def grant(
        self,
        server: str,
        tracker_id: TrackerId,
        owner: Owner,
        *,
        reason: str,
        lease: timedelta,
        head_start: timedelta = timedelta(),
    ) -> Lock | None:
        """Give one free tracker to an owner; see `grant_all`."""
        granted = self.grant_all(
            server,
            [tracker_id],
            owner,
            reason=reason,
            lease=lease,
            head_start=head_start,
        )
        return granted[0] if granted else None

    def grant_all(
        self,
        server: str,
        tracker_ids: Collection[TrackerId],
        owner: Owner,
        *,
        reason: str,
        lease: timedelta,
        head_start: timedelta = timedelta(),
        means: Mapping[str, Any] | None = None,
    ) -> tuple[Lock, ...]:
        """Give free trackers to an owner, all or none; () if any is not free.

        Each starts a lineage of its own and raises its epoch. Not while somebody
        who waits for one of them goes before him; an owner without a ticket counts
        as come now, less the `head_start` that his priority is worth. `means` are
        the columns that say by which strategy, role permissions without.
        """
        wanted = sorted(set(tracker_ids))
        members = wanted if len(wanted) > 1 else None
        values = {
            **named(owner),
            **UNBROKEN,
            "reason": reason,
            "members": members,
            **(means or {"strategy": "", "options": None, "mode": ""}),
            "acquired_at": self._database.now,
            "lease_until": self._moves.ahead(lease),
            "dirty_put_until": None,
            "exclusive_role": "",
        }
        turn = self.queue.turn(server, wanted, owner.key, head_start=head_start)
        with self._database.begin() as connection:
            for tracker_id in wanted:
                insert_missing(
                    connection,
                    lock_table,
                    server=server,
                    tracker_id=tracker_id,
                    scope=SCOPE,
                    created_host=owner.host,
                    created_at=self._database.now,
                )
            with suppress(_TakenError), connection.begin_nested():
                granted = tuple(
                    self._grant(connection, server, tracker_id, owner, turn, values)
                    for tracker_id in wanted
                )
                self.queue.serve(connection, server, wanted, owner.key)
                return granted
            return ()

    def give_back(self, lock: Lock, *, detail: Detail = None) -> Lock | None:
        """Free a granted lock under which nothing was touched."""
        with self._database.begin() as connection:
            return self._moves.step(
                connection, lock, "give back", detail=detail, **NOBODY, **UNBROKEN
            )

    def _grant(
        self,
        connection: Connection,
        server: str,
        tracker_id: TrackerId,
        owner: Owner,
        turn: ColumnElement[bool],
        values: dict[str, Any],
    ) -> Lock:
        """Write one tracker's record.

        Raises:
            _TakenError: it is not free, or not his turn; what was written before
                goes with it.
        """
        seen = find_row(connection, server, tracker_id)
        if seen is None or seen.state is not LockState.FREE:
            raise _TakenError
        granted = self._moves.step(
            connection,
            seen,
            "grant",
            turn,
            detail=_detail(values),
            who=owner.key,
            **values,
            lineage=uuid4().hex,
        )
        if granted is None:
            raise _TakenError
        return granted


class _TakenError(Exception):
    """One of the trackers is not free: what was granted of the others is undone."""


def named(owner: Owner) -> dict[str, Any]:
    """Return the columns that say who has a tracker."""
    return {"owner_key": owner.key, "owner": owner.to_json()}


def _detail(values: dict[str, Any]) -> dict[str, Any]:
    detail = {"reason": values["reason"]}
    for name in ("members", "strategy", "options", "mode"):
        if values[name]:
            detail[name] = values[name]
    return detail
