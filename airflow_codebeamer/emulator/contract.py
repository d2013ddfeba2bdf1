"""Contract: which operations exist, what they take and what they answer.

The contract is data (`contract.json`). A method and a path find an operation
that the emulator claims, one that the vendor declares and the emulator does not
have, or nothing.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any

from airflow_codebeamer.emulator.releases import RELEASE, as_of
from airflow_codebeamer.emulator.trimming import trimmed
from airflow_codebeamer.emulator.validation import Check, Shapes

__all__ = ["Contract", "Operation", "Parameter", "Unclaimed", "load_contract"]

Trim = Callable[[Any], Any]

# Reads whose request needs a body.
_READS_BY_POST = frozenset(
    (
        "findTrackerItemsByCbQL",
        "getBaselineTrackerItemsRelations",
        "getTrackerItemsAttachmentContents",
        "searchAllTrackersInProject",
        "searchProjects",
        "searchUsers",
    )
)


@dataclass(frozen=True)
class Parameter:
    """One value of a path or of a query string."""

    name: str
    schema: Mapping[str, Any]
    required: bool = False


@dataclass(frozen=True)
class Operation:
    """One claimed operation with everything needed to check both sides of it."""

    id: str
    method: str
    path: str
    level: str
    source: str
    statuses: frozenset[int]
    in_path: tuple[Parameter, ...] = ()
    in_query: Mapping[str, Parameter] = field(default_factory=dict)
    check_request: Check | None = None
    check_answer: Check | None = None
    may_be_empty: bool = False
    trim_request: Trim | None = None
    trim_answer: Trim | None = None
    request_media: str = "application/json"
    answer_media: str = "application/json"

    @property
    def is_read(self) -> bool:
        """Tell whether the operation only looks, whatever its method says."""
        return self.method == "GET" or self.id in _READS_BY_POST


@dataclass(frozen=True)
class Unclaimed:
    """An operation of the vendor's description that the emulator does not have."""

    id: str
    method: str
    path: str


class Contract:
    """All operations, found by method and path."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.release: str = data["release"]
        self.data = data
        self.has_status = frozenset(
            status for entry in data["operations"] for status in entry["statuses"]
        )
        shapes = data["shapes"]
        requests = Shapes(shapes, nullable=True)
        answers = Shapes(shapes, nullable=False)
        self.operations = {
            entry["id"]: _with_trims(data, entry, _operation(entry, requests, answers))
            for entry in data["operations"]
        }
        self.unclaimed = {
            name: Unclaimed(name, method, path)
            for name, method, path in data["unclaimed"]
        }
        self._names: dict[str, frozenset[str]] = {}
        self._tree: dict[str, Any] = {}
        declared: list[Operation | Unclaimed] = [
            *self.operations.values(),
            *self.unclaimed.values(),
        ]
        for known in declared:
            node = self._tree
            for segment in _segments(known.path):
                node = node.setdefault(segment, {})
            node.setdefault("/", {})[known.method] = known

    def find(
        self, method: str, path: str
    ) -> tuple[Operation | Unclaimed | None, list[str], list[str]]:
        """Find an operation.

        Returns the operation or None, the texts of its path parameters, and the
        methods that the path knows (empty when the path itself is unknown).
        """
        found = _walk(self._tree, path.strip("/").split("/"), 0, [])
        if found is None:
            return None, [], []
        methods, values = found
        return methods.get(method), values, sorted(methods)

    def names_in_request(self, operation_id: str) -> frozenset[str]:
        """Return every property name that a request of an operation may hold."""
        if operation_id not in self._names:
            found: set[str] = set()
            for entry in self.data["operations"]:
                if entry["id"] == operation_id:
                    _collect(self.data["shapes"], entry.get("request"), found, set())
            self._names[operation_id] = frozenset(found)
        return self._names[operation_id]


def _collect(
    shapes: Mapping[str, Any], schema: Any, names: set[str], seen: set[str]
) -> None:
    """Gather the property names of a schema and of everything that it refers to."""
    if not isinstance(schema, Mapping):
        return
    for name in (schema["$ref"],) if "$ref" in schema else schema.get("tagged", ()):
        if name not in seen:
            seen.add(name)
            _collect(shapes, shapes[name], names, seen)
    _collect(shapes, schema.get("items"), names, seen)
    names.update(schema.get("properties", ()))
    for inner in schema.get("properties", {}).values():
        _collect(shapes, inner, names, seen)


def _segments(path: str) -> list[str]:
    return [
        "{}" if segment.startswith("{") else segment
        for segment in path.strip("/").split("/")
    ]


def _walk(
    node: dict[str, Any], parts: list[str], index: int, values: list[str]
) -> tuple[dict[str, Any], list[str]] | None:
    """Follow a path through the tree; a literal segment wins over a parameter."""
    if index == len(parts):
        return (node["/"], values) if "/" in node else None
    part = parts[index]
    if part and part in node and part not in ("/", "{}"):
        found = _walk(node[part], parts, index + 1, values)
        if found is not None:
            return found
    if part and "{}" in node:
        return _walk(node["{}"], parts, index + 1, [*values, part])
    return None


def _operation(
    entry: Mapping[str, Any], requests: Shapes, answers: Shapes
) -> Operation:
    parameters = [
        (given["in"], _parameter(given)) for given in entry.get("parameters", ())
    ]
    # Path parameters come in the order of the path, whatever the list says.
    by_name = {known.name: known for place, known in parameters if place == "path"}
    names = [part[1:-1] for part in entry["path"].split("/") if part.startswith("{")]
    return Operation(
        id=entry["id"],
        method=entry["method"],
        path=entry["path"],
        level=entry["level"],
        source=entry["source"],
        statuses=frozenset(entry["statuses"]),
        in_path=tuple(by_name[name] for name in names),
        in_query={known.name: known for place, known in parameters if place == "query"},
        check_request=requests.check(entry["request"]) if "request" in entry else None,
        may_be_empty="answer" not in entry or entry.get("answer_may_be_empty", False),
        check_answer=answers.check(entry["answer"]) if "answer" in entry else None,
        request_media=entry.get("request_media", "application/json"),
        answer_media=entry.get("answer_media", "application/json"),
    )


def _with_trims(
    data: Mapping[str, Any], entry: Mapping[str, Any], operation: Operation
) -> Operation:
    """Let answers drop what an old release does not know, and open requests too."""

    def trim(side: str) -> Trim:
        return functools.partial(trimmed, data["shapes"], entry[side])

    return replace(
        operation,
        trim_request=trim("request")
        if data.get("open") and "request" in entry
        else None,
        trim_answer=trim("answer")
        if data.get("trimmed") and "answer" in entry
        else None,
    )


def _parameter(given: Mapping[str, Any]) -> Parameter:
    return Parameter(given["name"], given["schema"], given.get("required", False))


@functools.cache
def load_contract(release: str = RELEASE) -> Contract:
    """Return the contract as a release has it, compiled once a process.

    Raises:
        ValueError: Nothing is known about the release.
    """
    text = resources.files(__package__).joinpath("contract.json").read_text("utf-8")
    return Contract(as_of(json.loads(text), release))
