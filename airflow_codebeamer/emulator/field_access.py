"""Field access: who may see and write a single field, by role and status.

A field that names no roles is everybody's who may see and edit the item.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_codebeamer.emulator.access import roles_of
from airflow_codebeamer.emulator.call import Call
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.world import Item, Tracker

__all__ = ["LEVELS", "check_mandatory", "hidden_fields", "level_of", "permitted"]

LEVELS = ("NONE", "READ", "WRITE")
_STATUS = 7


def level_of(tracker: Tracker, roles: Iterable[int], field: int, status: int) -> str:
    """Return the best level that roles have on a field in a status."""
    entries = [entry for entry in tracker.field_access if entry["field"] == field]
    if not entries:
        return LEVELS[2]
    own = set(roles)
    levels = [
        LEVELS.index(entry["level"])
        for entry in entries
        if entry["role"] in own and entry["status"] in (None, status)
    ]
    return LEVELS[max(levels, default=0)]


def hidden_fields(call: Call, item: Item) -> frozenset[int]:
    """Return the fields of an item that the user may not see."""
    tracker = call.world.trackers[item.tracker]
    return frozenset(
        number
        for number, level in _levels(call, tracker, item.values).items()
        if level == "NONE"
    )


def permitted(
    call: Call, tracker: Tracker, new: dict[int, Any], before: dict[int, Any]
) -> dict[int, Any]:
    """Return what the user may write of what he sent.

    A field that he may not write keeps its value when he sends the same; when he
    sends nothing, it goes back to its default if it has one, and stays else.

    Raises:
        RefusedError: He sends another value for a field that is not his (403).
    """
    levels = _levels(call, tracker, before)
    made = {}
    for number, kept in new.items():
        if levels.get(number, LEVELS[2]) == LEVELS[2]:
            made[number] = kept
        elif kept is None:
            if number in tracker.defaults:
                made[number] = tracker.defaults[number]
        elif kept != before.get(number):
            name = tracker.by_id[number]["name"]
            raise RefusedError(403, f"You have no permission to edit field {name}.")
    return made


def check_mandatory(
    tracker: Tracker, values: dict[int, Any], touched: Iterable[int]
) -> None:
    """Refuse when a field that the status needs is empty.

    Only fields that are written are looked at, unless the status is one of them.

    Raises:
        RefusedError: A mandatory field has no value (400).
    """
    status = _status_of(values)
    written = set(touched)
    for known in tracker.schema:
        if not written & {known["id"], _STATUS} or values.get(known["id"]) is not None:
            continue
        if any(one["id"] == status for one in known["mandatoryInStatuses"]):
            raise RefusedError(400, f"Field {known['name']} is mandatory.")


def _status_of(values: dict[int, Any]) -> int:
    status = values.get(_STATUS)
    return int(status[0]["id"]) if status else 0


def _levels(call: Call, tracker: Tracker, values: dict[int, Any]) -> dict[int, str]:
    """Return the user's level on each field that names roles."""
    if not tracker.field_access or call.user.system_admin:
        return {}
    roles = [role.id for role in roles_of(call.world, call.user, tracker.project)]
    status = _status_of(values)
    return {
        entry["field"]: level_of(tracker, roles, entry["field"], status)
        for entry in tracker.field_access
    }
