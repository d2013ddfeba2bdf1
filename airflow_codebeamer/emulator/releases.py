"""Releases: the contract as an older or newer server has it.

What differs is read from the vendor's own descriptions (`vendor.json`) and from
its release notes (`releases.json`); nothing is listed by hand twice.
"""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

from airflow_codebeamer.emulator.facts import RELEASES, vendor_facts

__all__ = ["RELEASE", "as_of", "release_rules"]

RELEASE = "22.10"
"""The release that the contract describes, and the one that is emulated if none
is asked for."""


# What other statuses an old description leaves out is silence, not a difference.
_NEW_STATUSES = (423, 429)


@functools.cache
def _rules() -> list[dict[str, Any]]:
    text = resources.files(__package__).joinpath("releases.json").read_text("utf-8")
    rules: list[dict[str, Any]] = json.loads(text)
    return rules


def release_rules() -> list[dict[str, Any]]:
    """Return what differs between releases besides operations, with its source."""
    return copy.deepcopy(_rules())


def as_of(data: Mapping[str, Any], release: str) -> dict[str, Any]:
    """Return the contract's data as a release has it.

    Raises:
        ValueError: Nothing is known about the release.
    """
    facts, newest = vendor_facts(release), vendor_facts(RELEASE)
    if release == data["release"]:
        return dict(data)

    def has(place: str) -> bool:
        return place in facts or place not in newest

    shapes = {
        name: _shape(name, shape, facts, has) for name, shape in data["shapes"].items()
    }
    operations = [
        _operation(entry, has)
        for entry in data["operations"]
        if has(f"{entry['method']} {entry['path']}")
    ]
    used: set[str] = set()
    for entry in operations:
        for side in ("request", "answer"):
            _use(shapes, entry.get(side), used)
    return {
        **data,
        "release": release,
        "shapes": {name: shapes[name] for name in shapes if name in used},
        "operations": operations,
        "unclaimed": [
            entry for entry in data["unclaimed"] if has(f"{entry[1]} {entry[2]}")
        ]
        + _newer(facts, newest),
        "open": RELEASES.index(release) < RELEASES.index("21.09"),
        "trimmed": RELEASES.index(release) < RELEASES.index(RELEASE),
    }


def _use(shapes: Mapping[str, Any], schema: Any, used: set[str]) -> None:
    """Note the names of the shapes that a schema needs."""
    if not isinstance(schema, Mapping):
        return
    for name in (schema["$ref"],) if "$ref" in schema else schema.get("tagged", ()):
        if name not in used:
            used.add(name)
            _use(shapes, shapes[name], used)
    _use(shapes, schema.get("items"), used)
    for inner in schema.get("properties", {}).values():
        _use(shapes, inner, used)


def _newer(facts: Mapping[str, str], newest: Mapping[str, str]) -> list[list[str]]:
    """Return the operations that came after the contract, named as they were said."""
    places = {
        place
        for place in facts
        if place not in newest and place.count(" ") == 1 and place.isascii()
    }
    return [[facts[place], *place.split(" ")] for place in sorted(places)]


def _operation(entry: dict[str, Any], has: Any) -> dict[str, Any]:
    place = f"{entry['method']} {entry['path']}"
    kept = {
        **entry,
        "statuses": [
            one
            for one in entry["statuses"]
            if one not in _NEW_STATUSES or has(f"{place} status {one}")
        ],
    }
    if "parameters" in entry:
        kept["parameters"] = [
            one
            for one in entry["parameters"]
            if has(f"{place} {one['in']} {one['name']}")
        ]
    return kept


def _shape(
    name: str, shape: dict[str, Any], facts: Mapping[str, str], has: Any
) -> dict[str, Any]:
    if "tagged" in shape:
        said = facts.get(name, "")
        known = set(said.removeprefix("one of ").split(", "))
        return {"tagged": [one for one in shape["tagged"] if one in known or not said]}
    if "properties" not in shape:
        return shape
    kept = {
        inner: said
        for inner, said in shape["properties"].items()
        if has(f"{name}.{inner}")
    }
    return {**shape, "properties": kept}
