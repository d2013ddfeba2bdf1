"""Facts: what a description of the API says, as texts that can be compared.

`facts_of` reads an OpenAPI document, the vendor's or ours, into pairs of a
place and what is said there; prose is not read. `vendor_facts` returns those of
a release of the vendor's, which `docs/vendor.py` wrote into `vendor.json`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

__all__ = ["RELEASES", "facts_of", "vendor_facts"]

Facts = dict[str, str]

RELEASES = ("10.1", "21.09", "22.04", "22.10", "2.x")
"""The releases that can be emulated; of 2.x only the new operations are known."""

_METHODS = ("get", "put", "post", "patch", "delete")
_LIMITS = ("minimum", "maximum", "default")


def facts_of(document: Mapping[str, Any]) -> Facts:
    """Read an OpenAPI document.

    Places are `GET /v3/items/{itemId}`, followed by `status 404`, `path itemId`,
    `query page`, `request` or `answer`, and `Tracker.name` for shapes.
    """
    facts: Facts = {}
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations:
                operation = operations[method]
                place = f"{method.upper()} {path}"
                facts[place] = operation["operationId"]
                for where, text in _operation(operation):
                    facts[f"{place} {where}"] = text
    shapes = document["components"]["schemas"]
    families = _families(shapes)
    for name in shapes:
        for where, text in _shape(shapes, name, families):
            facts[f"{name}{where}"] = text
    return facts


def _operation(operation: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for given in operation.get("parameters", ()):
        text = _said(given["schema"])
        if given.get("required") and given["in"] != "path":
            text += " required"
        yield f"{given['in']} {given['name']}", text
    for status in operation["responses"]:
        yield f"status {status}", "yes"
    for name, said in (
        ("request", operation.get("requestBody", {})),
        ("answer", operation["responses"].get("200", {})),
    ):
        for media, content in said.get("content", {}).items():
            yield name, f"{media} {_said(content.get('schema', {}))}"


def _families(shapes: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return for each tagged shape the shapes that its tag may name."""
    families: dict[str, list[str]] = {}
    for name, shape in shapes.items():
        for part in shape.get("allOf", ()):
            if "$ref" in part:
                families.setdefault(_name(part["$ref"]), []).append(name)
        if "oneOf" in shape:
            families[name] = [_name(part["$ref"]) for part in shape["oneOf"]]
    return families


def _shape(
    shapes: Mapping[str, Any], name: str, families: Mapping[str, list[str]]
) -> Iterator[tuple[str, str]]:
    shape = shapes[name]
    if shape.get("discriminator") and families.get(name):
        yield "", f"one of {', '.join(sorted(families[name]))}"
        return
    for inner, said in sorted(_properties(shapes, shape).items()):
        # The tag of a shape is always its own name.
        yield f".{inner}", "string" if inner == "type" else _said(said)
    if shape.get("additionalProperties") is False:
        yield " closed", "yes"
    for inner in sorted(_required(shapes, shape)):
        yield f".{inner} required", "yes"


def _properties(shapes: Mapping[str, Any], shape: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in shape.get("allOf", ()):
        whole = shapes[_name(part["$ref"])] if "$ref" in part else part
        found |= _properties(shapes, whole)
    found |= shape.get("properties", {})
    return found


def _required(shapes: Mapping[str, Any], shape: Mapping[str, Any]) -> set[str]:
    found = set(shape.get("required", ()))
    for part in shape.get("allOf", ()):
        found |= _required(
            shapes, shapes[_name(part["$ref"])] if "$ref" in part else part
        )
    return found


def _said(schema: Mapping[str, Any]) -> str:
    """Say a schema in words: its type, its limits, its values."""
    if "$ref" in schema:
        return _name(schema["$ref"])
    if schema.get("type") == "array":
        return f"list of {_said(schema.get('items', {}))}"
    text = " ".join(
        str(schema[key]) for key in ("type", "format") if schema.get(key) is not None
    )
    for key in _LIMITS:
        if key in schema:
            text += f" {key} {json.dumps(schema[key])}"
    if schema.get("enum"):
        text += f" {'|'.join(sorted(map(str, schema['enum'])))}"
    if schema.get("type") == "object" and "additionalProperties" in schema:
        inner = schema["additionalProperties"]
        text += f" of {_said(inner)}" if isinstance(inner, dict) else ""
    return text or "anything"


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]


@functools.cache
def _kept() -> dict[str, dict[str, str | None]]:
    text = resources.files(__package__).joinpath("vendor.json").read_text("utf-8")
    facts: dict[str, dict[str, str | None]] = json.loads(text)["facts"]
    return facts


@functools.cache
def vendor_facts(release: str) -> Facts:
    """Return what the vendor's description of a release says.

    Raises:
        ValueError: Nothing is known about the release.
    """
    if release not in RELEASES:
        raise ValueError(
            f"Nothing is known about release {release}, only {', '.join(RELEASES)}."
        )
    known = RELEASES[: RELEASES.index(release) + 1]
    facts: Facts = {}
    for place, history in _kept().items():
        said = None
        for one in known:
            said = history.get(one, said)
        if said is not None:
            facts[place] = said
    return facts
