"""Numbers that must not be mixed up: a tracker is no item.

Each is an `int` or `str` at run time; the type checker keeps them apart.
"""

from __future__ import annotations

from typing import NewType

__all__ = [
    "Epoch",
    "FieldId",
    "ItemId",
    "Lineage",
    "PermissionId",
    "ProjectId",
    "RoleId",
    "RunId",
    "TrackerId",
    "UserId",
]

ProjectId = NewType("ProjectId", int)
TrackerId = NewType("TrackerId", int)
ItemId = NewType("ItemId", int)
FieldId = NewType("FieldId", int)
RoleId = NewType("RoleId", int)
UserId = NewType("UserId", int)
PermissionId = NewType("PermissionId", int)

#: The fencing token of a lock: grows with every change of hands, never falls.
Epoch = NewType("Epoch", int)

#: Everything from one snapshot of permissions to the next state `free`.
Lineage = NewType("Lineage", str)

#: One application of a document to a tracker, as the run journal knows it.
RunId = NewType("RunId", str)
