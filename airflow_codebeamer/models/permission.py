"""RolePermissions: what one role may do on one tracker."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from airflow_codebeamer.ids import PermissionId, RoleId
from airflow_codebeamer.models.reference import Answer, Reference

__all__ = ["RolePermissions", "TrackerPermission"]


class TrackerPermission(Answer):
    """One right on a tracker.

    Ids follow the vendor's own order, names are lower case (`issue_edit`);
    servers of different releases know a different number of them.
    """

    id: PermissionId
    name: str = ""

    def request(self) -> dict[str, Any]:
        """Return what the vendor's own tests send: id and name, no type."""
        return {"id": self.id, "name": self.name}


class RolePermissions(Answer):
    """A role and its rights on a tracker.

    A role without rights may be missing from the server's list, so "not
    listed" does not mean "deleted".
    """

    role: Reference
    permissions: tuple[TrackerPermission, ...] = Field(
        default=(), alias="trackerPermissions"
    )

    @property
    def role_id(self) -> RoleId:
        """The role's number."""
        return RoleId(self.role.id)

    @property
    def ids(self) -> frozenset[PermissionId]:
        """The rights as a set of numbers, which is how they are compared."""
        return frozenset(permission.id for permission in self.permissions)
