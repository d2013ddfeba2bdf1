"""Dagster Pipes: its variables, and its messages in our words; pure.

A program that speaks Pipes finds its two variables and need not know of us. What
it reports as a custom message with `method` and `params` is read like ours; its
`closed` stands for our `result`.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

__all__ = ["PIPES_VERSION", "is_pipes", "pipes_context", "pipes_value", "translate"]

#: The version of the protocol that this was written for.
PIPES_VERSION = "0.1"

_VERSION = "__dagster_pipes_version"

_LEVELS = {
    "CRITICAL": "ERROR",
    "ERROR": "ERROR",
    "WARNING": "WARNING",
    "DEBUG": "DEBUG",
}


def pipes_value(params: Mapping[str, Any]) -> str:
    """Return the value of a Pipes variable: packed JSON in base64."""
    return base64.b64encode(zlib.compress(json.dumps(params).encode())).decode()


def pipes_context(run_key: str, extras: Mapping[str, Any]) -> dict[str, Any]:
    """Return the context that a Pipes program loads; ours is in its `extras`."""
    return {
        "asset_keys": None,
        "code_version_by_asset_key": None,
        "provenance_by_asset_key": None,
        "partition_key": None,
        "partition_key_range": None,
        "partition_time_window": None,
        "run_id": run_key or "run",
        "job_name": None,
        "retry_number": 0,
        "extras": dict(extras),
    }


def is_pipes(message: Mapping[str, Any]) -> bool:
    """Whether a message is one of Pipes, of the version that we know."""
    return message.get(_VERSION) == PIPES_VERSION


def translate(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a message of Pipes in our words, None if we have none for it."""
    found = message.get("params")
    params = found if isinstance(found, Mapping) else {}
    match message.get("method"):
        case "opened":
            return _ours("opened", {})
        case "closed":
            return _ours("closed", {"exception": _exception(params.get("exception"))})
        case "log":
            level = _LEVELS.get(str(params.get("level")), "INFO")
            return _ours("log", {"level": level, "message": str(params.get("message"))})
        case "log_external_stream":
            return _ours("log", {"message": str(params.get("text")).rstrip("\n")})
        case "report_custom_message":
            return _custom(params.get("payload"))
        case method:
            told = json.dumps(params, ensure_ascii=False)
            return _ours("log", {"message": f"{method}: {told}"})


def _custom(payload: Any) -> dict[str, Any]:
    if isinstance(payload, Mapping) and isinstance(payload.get("method"), str):
        return _ours(payload["method"], payload.get("params"))
    told = json.dumps(payload, ensure_ascii=False)
    return _ours("log", {"message": f"report: {told}"})


def _exception(found: Any) -> str | None:
    if not isinstance(found, Mapping) or not found:
        return None
    name, said = found.get("name"), str(found.get("message") or "").strip()
    return f"{name}: {said}" if name else said or "it gave no reason"


def _ours(method: str, params: Any) -> dict[str, Any]:
    return {"cbgen": "1", "method": method, "params": params}
