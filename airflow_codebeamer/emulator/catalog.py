"""Catalogue: the tracker permissions, and the fields of a requirement tracker."""

from __future__ import annotations

import copy
from typing import Any

__all__ = [
    "ALL_PERMISSIONS",
    "NEWEST",
    "PERMISSIONS",
    "PROJECT_ADMIN_MINIMUM",
    "READ_ONLY",
    "requirement_schema",
    "requirement_statuses",
    "requirement_transitions",
]

# Name, label where one is public; the position is the id.
PERMISSIONS: tuple[tuple[str, str], ...] = (
    ("issue_view_not_own", "Item - View Any"),
    ("issue_edit_not_own", "Item - Edit Any"),
    ("issue_view", "Item - View if Owner"),
    ("issue_add", "Item - Add"),
    ("issue_edit", "Item - Edit if Owner"),
    ("issue_mass_edit", "Tracker - Mass Edit"),
    ("issue_close", "Item - Close"),
    ("issue_delete", "Item - Delete"),
    ("issue_history_view", "Item - History View"),
    ("issue_escalation_view", ""),
    ("issue_attachment_view", "Item - View Comments/Attachments"),
    ("issue_comment_add", "Item - Add Comment/Attachment"),
    ("issue_attachment_add", ""),
    ("issue_attachment_edit", "Item - Edit Comment/Attachment - Any"),
    ("issue_attachment_edit_own", "Item - Edit Comment/Attachment - Own"),
    ("issue_subscribe", ""),
    ("issue_subscribe_others", ""),
    ("tracker_subscribe", ""),
    ("tracker_subscribe_others", ""),
    ("tracker_subscribers_view", ""),
    ("admin_public_view", "Public View - Admin"),
    ("issue_association_view", "Item - View Associations"),
    ("issue_association_edit", "Item - Edit Associations"),
    ("issue_suspected_merge", "Item - Suspected Merge"),
    ("branch_merge", ""),
    ("export", "Item - Export"),
    ("branch_replace_content", ""),
    ("data_administration", "Data Administrator"),
)
ALL_PERMISSIONS: tuple[int, ...] = tuple(range(len(PERMISSIONS)))

# Comments in the vendor's test suite call these newer than the rest.
NEWEST: frozenset[int] = frozenset((26, 27))

# What a project administrator has on every tracker whatever his role's list says.
PROJECT_ADMIN_MINIMUM: frozenset[int] = frozenset(
    (0, 2, 8, 9, 10, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27)
)

# What only looks.
READ_ONLY: frozenset[int] = frozenset((0, 2, 8, 9, 10, 15, 17, 19, 21, 25))

_STATUSES = ("New", "In Review", "Approved", "Closed")
_OPTIONS: dict[str, tuple[str, ...]] = {
    "Priority": ("Highest", "High", "Normal", "Low", "Lowest"),
    "Type": ("Folder", "Requirement", "Information", "Interface", "Constraint"),
    "ASIL": ("QM", "A", "B", "C", "D"),
    "Byte Order": ("little endian", "big endian"),
}
# Id, name, kind, property of an item that carries it (built-in fields only).
_BUILT_IN: tuple[tuple[int, str, str, str], ...] = (
    (0, "ID", "IntegerField", "id"),
    (1, "Tracker", "TrackerChoiceField", "tracker"),
    (2, "Priority", "OptionChoiceField", "priority"),
    (3, "Summary", "TextField", "name"),
    (4, "Submitted at", "DateField", "createdAt"),
    (5, "Assigned to", "MemberField", "assignedTo"),
    (6, "Submitted by", "MemberField", "createdBy"),
    (7, "Status", "OptionChoiceField", "status"),
    (8, "Start Date", "DateField", "startDate"),
    (9, "End Date", "DateField", "endDate"),
    (13, "Type", "OptionChoiceField", "categories"),
    (17, "Subject", "TrackerItemChoiceField", "subjects"),
    (19, "Story Points", "IntegerField", "storyPoints"),
    (32, "Owner", "MemberField", "owners"),
    (74, "Modified at", "DateField", "modifiedAt"),
    (75, "Modified by", "MemberField", "modifiedBy"),
    (76, "Parent", "TrackerItemChoiceField", "parent"),
    (80, "Description", "WikiTextField", "description"),
    (84, "Description Format", "TextField", "descriptionFormat"),
)
_CUSTOM: tuple[tuple[int, str, str], ...] = (
    (1001, "ASIL", "OptionChoiceField"),
    (1002, "Byte Order", "OptionChoiceField"),
    (10001, "External ID", "TextField"),
    (10002, "Unit", "TextField"),
    (10003, "Receivers", "TextField"),
    (10004, "Factor", "DecimalField"),
    (10005, "Offset", "DecimalField"),
    (10006, "Minimum", "DecimalField"),
    (10007, "Maximum", "DecimalField"),
    (10008, "Start Bit", "IntegerField"),
    (10009, "Length", "IntegerField"),
    (10010, "Cycle Time", "IntegerField"),
    (10011, "Signed", "BoolField"),
    (10012, "Rationale", "WikiTextField"),
)
_MULTIPLE = frozenset(("Assigned to", "Type", "Subject", "Owner"))
_REFERS_TO = {
    "OptionChoiceField": "ChoiceOptionReference",
    "MemberField": "",
    "TrackerItemChoiceField": "TrackerItemReference",
    "TrackerChoiceField": "TrackerReference",
}


def requirement_schema() -> list[dict[str, Any]]:
    """Return the fields of a requirement tracker in the shape that is served."""
    fields = [_field(*entry) for entry in _BUILT_IN]
    fields += [_field(number, name, kind, "") for number, name, kind in _CUSTOM]
    return copy.deepcopy(fields)


def requirement_statuses() -> list[dict[str, Any]]:
    """Return the statuses; an item in a closed one needed the right to close."""
    return [
        {"id": number, "name": name, "closed": name == "Closed"}
        for number, name in enumerate(_STATUSES, start=1)
    ]


def requirement_transitions() -> list[list[int]]:
    """Return the allowed steps between statuses; 0 is "not there yet"."""
    return [[0, 1], [1, 2], [2, 1], [2, 3], [3, 1], [1, 4], [2, 4], [3, 4], [4, 1]]


def _field(number: int, name: str, kind: str, item_property: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": number,
        "name": name,
        "type": kind,
        "hidden": False,
        "valueModel": _value_model(kind),
        "mandatoryInStatuses": [],
    }
    if kind in _REFERS_TO:
        made["multipleValues"] = name in _MULTIPLE
    if _REFERS_TO.get(kind):
        made["referenceType"] = _REFERS_TO[kind]
    if kind == "MemberField":
        made["memberTypes"] = ["USER", "ROLE", "GROUP"]
    if kind == "OptionChoiceField":
        names = _STATUSES if name == "Status" else _OPTIONS[name]
        made["options"] = [_option(0, "Unset")]
        made["options"] += [_option(at, text) for at, text in enumerate(names, 1)]
    if item_property:
        made["trackerItemField"] = item_property
    if name == "Summary":
        made["max"] = 255
        made["mandatoryInStatuses"] = [
            _option(number, text) for number, text in enumerate(_STATUSES, 1)
        ]
    return made


def _value_model(kind: str) -> str:
    if kind in _REFERS_TO:
        return f"ChoiceFieldValue<{_REFERS_TO[kind] or 'AbstractReference'}>"
    return f"{kind}Value"


def _option(number: int, name: str) -> dict[str, Any]:
    return {"id": number, "name": name, "type": "ChoiceOptionReference"}
