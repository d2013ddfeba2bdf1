"""Rows of the lock store, read as our values; no statement is built here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_codebeamer.ids import Epoch, Lineage, RoleId, TrackerId
from airflow_codebeamer.locking.lock import ROLE_PERMISSIONS, Breaking, Lock, Owner
from airflow_codebeamer.locking.permissions import (
    NOTHING,
    Rights,
    rights_from_json,
    rights_to_json,
)
from airflow_codebeamer.locking.roles import Phase, RoleEntry
from airflow_codebeamer.locking.states import LockState

__all__ = ["entry_from_row", "entry_values", "lock_from_row", "moment"]


def moment(seconds: float | None) -> datetime | None:
    """Return store time as a moment."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def lock_from_row(row: Mapping[Any, Any]) -> Lock:
    """Return the lock that a row of `codebeamer_lock` says."""
    since = moment(row["breaking_since"])
    breaking = None
    if since is not None:
        breaking = Breaking(
            row["breaking_by"] or "",
            row["breaking_reason"] or "",
            since,
            moment(row["breaking_until"]) or since,
        )
    lineage = row["lineage"]
    return Lock(
        server=row["server"],
        tracker_id=TrackerId(row["tracker_id"]),
        owner=Owner.from_json(row["owner"]),
        epoch=Epoch(row["epoch"]),
        state=LockState(row["state"]),
        lineage=None if lineage is None else Lineage(lineage),
        reason=row["reason"],
        acquired_at=moment(row["acquired_at"]),
        lease_until=moment(row["lease_until"]),
        lease_seq=row["lease_seq"],
        exclusive_role=row["exclusive_role"],
        strategy=row["strategy"] or ROLE_PERMISSIONS,
        options=row["options"] or {},
        mode=row["mode"],
        members=tuple(TrackerId(number) for number in row["members"] or ()),
        restore_policy=row["restore_policy"] or "merge",
        owner_died=bool(row["owner_died"]),
        breaking=breaking,
        hold_until=moment(row["hold_until"]),
        changed_at=moment(row["changed_at"]),
        dirty_until=moment(row["dirty_put_until"]),
        fingerprint=row["fingerprint"],
    )


def entry_from_row(row: Mapping[Any, Any]) -> RoleEntry:
    """Return what a row of `codebeamer_role_journal` says."""
    original, names = rights_from_json(row["original"])

    def read(column: str) -> Rights | None:
        if row[column] is None:
            return None
        rights, more = rights_from_json(row[column])
        names.update(more)
        return rights

    return RoleEntry(
        role_id=RoleId(row["role_id"]),
        name=row["role_name"],
        original=original,
        base=read("base"),
        floor=read("floor") or NOTHING,
        touched=bool(row["touched"]),
        phase=Phase(row["phase"]),
        merged=read("merged"),
        observed=read("observed"),
        granted=read("granted") or NOTHING,
        first_original=read("first_original"),
        answer=row["answer"],
        revision=row["revision"],
        names=names,
    )


def entry_values(entry: RoleEntry) -> dict[str, Any]:
    """Return the columns of an entry that locking and restoring write."""

    def write(rights: Rights | None) -> list[dict[str, Any]] | None:
        return None if rights is None else rights_to_json(rights, entry.names)

    return {
        "role_id": entry.role_id,
        "role_name": entry.name,
        "original": write(entry.original),
        "base": write(entry.base),
        "floor": write(entry.floor),
        "touched": entry.touched,
        "phase": entry.phase.value,
        "merged": write(entry.merged),
        "observed": write(entry.observed),
        "granted": write(entry.granted or None),
        "first_original": write(entry.first_original),
    }
