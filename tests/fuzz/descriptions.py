"""The two descriptions that requests are generated from and answers held against.

One is the emulator's own. The other is the vendor's file, cut to the operations
that the emulator claims and sharpened: the file leaves its objects open and its
families without members, while servers refuse what they do not know. What the
contract says against the file, it says as data, and only that is changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import requests

from airflow_codebeamer.emulator import Emulator
from airflow_codebeamer.emulator.contract import load_contract

REFS = "#/components/schemas/"
#: A status that says "not emulated" is no claim about Codebeamer.
NOT_EMULATED = 501
#: As the vendor's examples write times: without a zone, against RFC 3339.
TIME = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?$"


def own(server: Emulator) -> dict[str, Any]:
    """Return the description that the emulator serves, as it serves it."""
    answer = requests.get(f"{server.url}/api-docs/v3.json", timeout=20)
    document: dict[str, Any] = answer.json()
    return document


def vendor(file: Path) -> dict[str, Any]:
    """Return the vendor's description, cut to what is claimed, and sharpened."""
    document: dict[str, Any] = json.loads(file.read_text("utf-8"))
    claimed = load_contract().operations
    paths: dict[str, Any] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if operation.get("operationId") in claimed:
                paths.setdefault(path, {})[method] = operation
                _correct(operation)
    document["paths"] = paths
    schemas = document["components"]["schemas"]
    document["components"]["schemas"] = _Sharpened(schemas).all()
    return _timed(document)


def _timed(value: Any) -> Any:
    """Say of every time that it has no zone."""
    if isinstance(value, list):
        return [_timed(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    made = {name: _timed(inner) for name, inner in value.items()}
    if made.get("format") == "date-time":
        made = {"type": "string", "pattern": TIME}
    return made


def _correct(operation: dict[str, Any]) -> None:
    """Add the statuses that the contract declares against the file, and 501."""
    added: set[int] = {NOT_EMULATED}
    for correction in load_contract().data["corrections"]:
        names = correction.get("operations", ())
        if names == "*" or operation["operationId"] in names:
            added.update(correction.get("statuses", ()))
    for status in sorted(added):
        operation["responses"].setdefault(str(status), {"description": "corrected"})
    # Errors are JSON, also where the answer is not; the file repeats its type.
    for status_text, response in operation["responses"].items():
        content = response.get("content", {})
        if status_text != "200" and content:
            response["content"] = {"application/json": next(iter(content.values()))}


class _Sharpened:
    """The file's schemas, each object whole and closed, each family listed."""

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self._schemas = schemas
        self._families = {
            name for name, schema in schemas.items() if "discriminator" in schema
        }

    def all(self) -> dict[str, Any]:
        return {
            name: self._family(name) if name in self._families else self._whole(name)
            for name in self._schemas
        } | {f"{name}Itself": self._whole(name) for name in self._families}

    def _family(self, name: str) -> dict[str, Any]:
        members = [
            other
            for other in self._schemas
            if other not in self._families and name in self._above(other)
        ]
        if not name.startswith("Abstract"):
            members.append(f"{name}Itself")
        return {"oneOf": [{"$ref": f"{REFS}{member}"} for member in members]}

    def _above(self, name: str) -> Iterator[str]:
        for part in self._schemas[name].get("allOf", ()):
            if "$ref" in part:
                above = part["$ref"].removeprefix(REFS)
                yield above
                yield from self._above(above)

    def _whole(self, name: str) -> dict[str, Any]:
        """Merge what a schema inherits; its tag, if it has one, is its name."""
        made = self._merged(self._schemas[name])
        tag = made.get("properties", {}).get("type")
        tagged = {name, *self._above(name)} & self._families
        if tag is not None and tagged and "enum" not in tag:
            made["properties"]["type"] = {"type": "string", "enum": [name]}
        return made

    def _merged(self, schema: dict[str, Any]) -> dict[str, Any]:
        parts = [*schema.get("allOf", ()), schema]
        properties: dict[str, Any] = {}
        required: set[str] = set()
        for part in parts:
            if "$ref" in part:
                above = part["$ref"].removeprefix(REFS)
                part = self._merged(self._schemas[above])
            properties |= part.get("properties", {})
            required |= set(part.get("required", ()))
        kept = {
            key: value
            for key, value in schema.items()
            if key not in ("allOf", "discriminator", "required", "properties")
        }
        if properties:
            kept |= {"properties": properties, "additionalProperties": False}
        return kept | ({"required": sorted(required)} if required else {})
