"""Item locks: who holds one, taking one, giving it back."""

from __future__ import annotations

import re
from typing import Any

from airflow_codebeamer.emulator.access import Rights
from airflow_codebeamer.emulator.call import EMPTY, Call, Route
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.shown import user_reference
from airflow_codebeamer.emulator.world import HeldLock, Item

__all__ = ["LOCKS"]

_DURATION = re.compile(r"(?:(\d+)d)?\s*(?:(\d+)(?::(\d{1,2}))?h)?\s*(?:(\d+)m)?\Z")
_SOFT_SECONDS = 3600.0


def _item(call: Call) -> tuple[Item, Rights]:
    item = call.world.live_item(call.path["itemId"])
    rights = Rights(call.world, call.user, call.world.trackers[item.tracker], item)
    rights.require_view(item)
    return item, rights


def _held(call: Call, item: Item) -> HeldLock | None:
    held = call.world.locks.get(item.id)
    if held is not None and held.until is not None and held.until <= call.seconds:
        del call.world.locks[item.id]
        return None
    return held


def _seconds(text: str | None) -> float:
    """Read a time notation such as `1:30h`, `45m` or `2d`."""
    if text is None:
        return _SOFT_SECONDS
    match = _DURATION.match(text.strip())
    if match is None or not text.strip():
        raise RefusedError(400, f'"{text}" is not a duration such as 1:30h.')
    days, hours, minutes, more = (int(part or 0) for part in match.groups())
    total = float(days * 86400 + hours * 3600 + (minutes + more) * 60)
    if total <= 0:
        raise RefusedError(400, f'"{text}" is no time at all.')
    return total


def _get(call: Call) -> Any:
    item, _ = _item(call)
    held = _held(call, item)
    if held is None:
        return EMPTY
    return {"user": user_reference(call.world, held.user), "expires": not held.hard}


def _put(call: Call) -> Any:
    item, rights = _item(call)
    rights.require_edit(item)
    held = _held(call, item)
    renews = call.world.assumptions["item_lock_renews"]
    if held is not None and (held.user != call.user.id or not renews):
        raise RefusedError(403, "Could not acquire lock")
    hard = bool(call.body.get("hard"))
    until = None if hard else call.seconds + _seconds(call.body.get("duration"))
    call.world.locks[item.id] = HeldLock(item.id, call.user.id, hard, until)
    return EMPTY


def _delete(call: Call) -> Any:
    item, _ = _item(call)
    held = _held(call, item)
    if held is None:
        return EMPTY
    releases = call.world.assumptions["admins_release_item_locks"]
    if held.user != call.user.id and not (call.user.system_admin and releases):
        raise RefusedError(403, "Could not unlock")
    del call.world.locks[item.id]
    return EMPTY


LOCKS: dict[str, Route] = {
    "checkTrackerItemLock": _get,
    "lockTrackerItem": _put,
    "unlockTrackerItem": _delete,
}
