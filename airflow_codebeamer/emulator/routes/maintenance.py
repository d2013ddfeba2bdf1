"""Maintenance mode: the server kept for its administrators."""

from __future__ import annotations

from typing import Any

from airflow_codebeamer.emulator.call import Call, Route
from airflow_codebeamer.emulator.refusal import RefusedError

__all__ = ["MAINTENANCE"]


def _get(call: Call) -> Any:
    return {"systemMode": call.world.maintenance["systemMode"]}


def _put(call: Call) -> Any:
    if not call.user.system_admin:
        raise RefusedError(403, "You have no permission to administer the system.")
    texts = call.body.get("properties")
    mode = call.body["systemMode"]
    if mode is None:
        raise RefusedError(400, "Say which systemMode.")
    if mode == "MAINTENANCE" and texts is None:
        raise RefusedError(400, "Maintenance mode needs its texts (properties).")
    call.world.maintenance = {"systemMode": mode}
    if texts is not None:
        call.world.maintenance["properties"] = dict(texts)
    return _get(call)


MAINTENANCE: dict[str, Route] = {
    "getSystemStatus": _get,
    "setSystemStatus": _put,
}
