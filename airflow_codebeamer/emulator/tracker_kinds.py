"""Kinds of trackers: which fields, statuses and steps a new tracker starts with.

Tasks and test cases are those of the vendor's page about tracker items, so that
its examples can be sent as they stand.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from airflow_codebeamer.emulator.catalog import (
    requirement_schema,
    requirement_statuses,
    requirement_transitions,
)

__all__ = ["KINDS", "TrackerKind", "type_reference"]

_TASK_STATUSES = (
    "New",
    "Suspended",
    "In progress",
    "Partly completed",
    "Completed",
    "To Verify",
    "InQA",
)
_TEST_CASE_STATUSES = ("New", "Design", "Accepted", "Closed")
_CLOSED = ("Completed", "Closed")


@dataclass(frozen=True)
class TrackerKind:
    """What trackers of one kind have in common; every call makes new values."""

    name: str
    type_id: int
    status_names: tuple[str, ...] = ()
    steps: tuple[tuple[int, int], ...] = ()
    custom: tuple[dict[str, Any], ...] = ()

    def schema(self) -> list[dict[str, Any]]:
        """Return the fields in the shape that is served."""
        fields = requirement_schema()
        if not self.status_names:
            return fields
        built_in = [known for known in fields if "trackerItemField" in known]
        for known in built_in:
            if known["name"] == "Status":
                known["options"] = _options("Unset", *self.status_names)
            if known["name"] == "Summary":
                known["mandatoryInStatuses"] = _options("", *self.status_names)[1:]
        return built_in + copy.deepcopy(list(self.custom))

    def statuses(self) -> list[dict[str, Any]]:
        """Return the statuses; an item in a closed one needed the right to close."""
        if not self.status_names:
            return requirement_statuses()
        return [
            {"id": number, "name": name, "closed": name in _CLOSED}
            for number, name in enumerate(self.status_names, start=1)
        ]

    def transitions(self) -> list[list[int]]:
        """Return the allowed steps between statuses; 0 is "not there yet"."""
        if not self.status_names:
            return requirement_transitions()
        return [list(step) for step in self.steps]


def _options(*names: str) -> list[dict[str, Any]]:
    return [
        {"id": number, "name": name, "type": "ChoiceOptionReference"}
        for number, name in enumerate(names)
    ]


def _field(number: int, name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "name": name,
        "type": kind,
        "hidden": False,
        "valueModel": f"{kind}Value",
        "mandatoryInStatuses": [],
        **more,
    }


def _choice(number: int, name: str, *options: str) -> dict[str, Any]:
    return _field(
        number,
        name,
        "OptionChoiceField",
        valueModel="ChoiceFieldValue<ChoiceOptionReference>",
        multipleValues=False,
        options=_options("Unset", *options),
        referenceType="ChoiceOptionReference",
    )


def _reference(number: int, name: str, **more: Any) -> dict[str, Any]:
    return _field(
        number,
        name,
        "TrackerItemChoiceField",
        valueModel="ChoiceFieldValue<TrackerItemReference>",
        referenceType="TrackerItemReference",
        **{"multipleValues": False, **more},
    )


_TASK_FIELDS = (
    _choice(1006, "Occurrence", "Seldom", "Often", "Always"),
    _reference(1002, "System", description="System which caused the Defect"),
    _field(10001, "Detected On Date", "DateField"),
    _reference(31, "Release", trackerItemField="versions", multipleValues=True),
    _reference(18, "Team", trackerItemField="teams", multipleValues=True),
)
_TEST_CASE_FIELDS = (
    _choice(
        1001, "User custom choice", "First option", "Second option", "Third option"
    ),
    _reference(1002, "System", description="System which caused the Defect"),
    _field(10001, "External ID", "TextField"),
    _field(10003, "Reusable", "BoolField"),
    _field(
        1000000,
        "Test Steps",
        "TableField",
        columns=[
            _field(1000001, "Action", "WikiTextField"),
            _field(1000002, "Expected result", "WikiTextField"),
            _field(1000003, "Critical", "BoolField"),
            _field(1000004, "Id", "WikiTextField", hidden=True),
        ],
    ),
)
KINDS: dict[str, TrackerKind] = {
    kind.name: kind
    for kind in (
        TrackerKind("Requirement", 5),
        TrackerKind(
            "Task",
            6,
            _TASK_STATUSES,
            tuple(
                (start, end)
                for start in range(8)
                for end in range(1, 8)
                if start != end
            ),
            _TASK_FIELDS,
        ),
        TrackerKind(
            "Test Case",
            102,
            _TEST_CASE_STATUSES,
            ((0, 1), (1, 2), (2, 1), (2, 3), (3, 2), (1, 4), (2, 4), (3, 4), (4, 1)),
            _TEST_CASE_FIELDS,
        ),
    )
}
"""Every kind of tracker that a world can have, by its name."""


def type_reference(name: str) -> dict[str, Any]:
    """Return the reference to the type of a kind of trackers."""
    kind = KINDS.get(name, KINDS["Requirement"])
    return {"id": kind.type_id, "name": kind.name, "type": "TrackerTypeReference"}
