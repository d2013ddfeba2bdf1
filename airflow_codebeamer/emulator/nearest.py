"""Nearest: what a refused request probably meant, and where it first differs."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

from airflow_codebeamer.emulator.contract import Contract, Operation, Unclaimed

__all__ = ["near_field", "nearest", "nearest_text"]

_FIELD = re.compile(r'(?:Unrecognized|Missing required) field "([^"]*)"')
_PARAMETER = re.compile(r'query parameter "([^"]*)"')
_PLACE = re.compile(r"\(at ([^)]*)\)\Z")


def nearest(contract: Contract, method: str, path: str) -> dict[str, Any]:
    """Return the operation that a method and a path come closest to."""
    parts = path.strip("/").split("/")
    known: list[Operation | Unclaimed] = [
        *contract.operations.values(),
        *contract.unclaimed.values(),
    ]
    found = min(known, key=lambda one: (_distance(one, method, parts), one.id))
    return {
        "operation": found.id,
        "method": found.method,
        "path": found.path,
        "differs": _first_difference(found, method, parts),
    }


def nearest_text(near: dict[str, Any]) -> str:
    """Say in a sentence what `nearest` found."""
    return (
        f"The nearest is {near['operation']}, {near['method']} {near['path']};"
        f" {near['differs']}."
    )


def near_field(
    operation: Operation, names: Iterable[str], message: str
) -> dict[str, Any]:
    """Return where a refused request first differs from its own operation.

    `names` are the properties that a request of the operation may have.
    """
    place = _PLACE.search(message)
    field = _FIELD.search(message)
    parameter = _PARAMETER.search(message)
    wrong = field or parameter
    differs = f"{place[1]}: {message}" if place is not None else message
    near: dict[str, Any] = {
        "operation": operation.id,
        "method": operation.method,
        "path": operation.path,
        "differs": differs,
    }
    if wrong is not None:
        known = operation.in_query if parameter is not None else names
        near["perhaps"] = difflib.get_close_matches(wrong[1], list(known), n=1)
    return near


def _distance(known: Operation | Unclaimed, method: str, parts: list[str]) -> float:
    wanted = known.path.strip("/").split("/")
    away = 2.0 * abs(len(wanted) - len(parts)) + 0.5 * (known.method != method)
    for want, got in zip(wanted, parts, strict=False):
        if want.startswith("{"):
            away += 0.0 if got.isdigit() else 0.9
        elif want != got:
            away += 2 - difflib.SequenceMatcher(a=want, b=got).ratio()
    return away


def _first_difference(
    known: Operation | Unclaimed, method: str, parts: list[str]
) -> str:
    wanted = known.path.strip("/").split("/")
    for want, got in zip(wanted, parts, strict=False):
        if want != got and not want.startswith("{"):
            return f"its path has {want!r} where the request has {got!r}"
    if len(wanted) > len(parts):
        return f"its path goes on with {wanted[len(parts)]!r}"
    if len(wanted) < len(parts):
        return f"its path ends before {parts[len(wanted)]!r}"
    return f"its method is {known.method}, not {method}"
