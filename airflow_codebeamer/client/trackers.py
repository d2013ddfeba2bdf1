"""Operations on trackers, their fields and their permissions."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from airflow_codebeamer.client.answers import read, read_many
from airflow_codebeamer.client.paging import (
    LONGEST_PAGE,
    list_paged,
    list_whole,
    page_of,
)
from airflow_codebeamer.client.transport import Before, Transport
from airflow_codebeamer.ids import RoleId, TrackerId, UserId
from airflow_codebeamer.models import (
    Answer,
    Reference,
    RolePermissions,
    Tracker,
    TrackerField,
    TrackerPermission,
)

__all__ = ["Trackers"]


class _Transition(Answer):
    """One step of a workflow; the first of a new item has no source."""

    source: Reference | None = Field(default=None, alias="fromStatus")
    target: Reference = Field(alias="toStatus")


class Trackers:
    """Trackers by number."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get_tracker(self, tracker_id: TrackerId) -> Tracker:
        """Return a tracker.

        Raises:
            NotFoundError: there is none, or this account may not see it.
        """
        path = f"/trackers/{tracker_id}"
        return read(Tracker, self._transport.read("GET", path), f"GET {path}")

    def list_fields(self, tracker_id: TrackerId) -> list[Reference]:
        """Return the fields of a tracker's items: numbers and names."""
        return list_whole(self._transport, Reference, f"/trackers/{tracker_id}/fields")

    def list_schema(self, tracker_id: TrackerId) -> list[TrackerField]:
        """Return the fields of a tracker's items with types and options."""
        path = f"/trackers/{tracker_id}/schema"
        return list_whole(self._transport, TrackerField, path)

    def list_transitions(self, tracker_id: TrackerId) -> list[tuple[int, int]]:
        """Return the workflow's steps as pairs of statuses; 0 is "not there yet".

        Raises:
            ForbiddenError: this account may not read the workflow.
        """
        path = f"/trackers/{tracker_id}/transitions"
        answer = self._transport.read("GET", path)
        page = page_of(answer, f"GET {path}", number=1, size=LONGEST_PAGE)
        steps = read_many(_Transition, page.entries, f"GET {path}")
        return [
            (step.source.id if step.source else 0, step.target.id) for step in steps
        ]

    def list_known_permissions(self) -> list[TrackerPermission]:
        """Return every tracker permission that this server's release knows."""
        path = "/trackers/permissions"
        return list_whole(self._transport, TrackerPermission, path)

    def list_permissions(
        self,
        tracker_id: TrackerId,
        *,
        user_id: UserId | None = None,
        role_id: RoleId | None = None,
    ) -> list[RolePermissions]:
        """Return what roles may do on a tracker, all or those of one user or role.

        Not promised: roles without any permission may be missing, and what the
        creator of an item may do by that alone is in no answer.

        Raises:
            BadRequestError, UnauthorizedError, ForbiddenError: the vendor
                documents each of them for "you may not read this".
        """
        path = f"/trackers/{tracker_id}/permissions"
        query = {"userId": user_id, "roleId": role_id}
        return list_whole(self._transport, RolePermissions, path, query=query)

    def set_role_permissions(
        self,
        tracker_id: TrackerId,
        role_id: RoleId,
        permissions: Iterable[TrackerPermission],
        *,
        before: Before | None = None,
    ) -> list[RolePermissions]:
        """Replace what one role may do on a tracker; return the server's answer.

        `before` is asked right before each try, after every wait, and may raise.

        Not promised: the answer may hold all roles or this one only, and a
        server may leave out what it finds inconsistent without a word: compare.

        Raises:
            ForbiddenError: needs the project permission "Trackers - Admin".
            OutcomeUnknownError, ServerError: read before writing again.
        """
        path = f"/trackers/{tracker_id}/roles/{role_id}/permissions"
        body = {"permissions": [permission.request() for permission in permissions]}
        answer = self._transport.write("PUT", path, body=body, before=before)
        page = page_of(answer, f"PUT {path}", number=1, size=LONGEST_PAGE)
        return read_many(RolePermissions, page.entries, f"PUT {path}")

    def list_children(self, tracker_id: TrackerId) -> list[Reference]:
        """Return the items at the top of a tracker, in order."""
        path = f"/trackers/{tracker_id}/children"
        return list_paged(self._transport, Reference, path)

    def list_baselines(self, tracker_id: TrackerId) -> list[Reference]:
        """Return the baselines of a tracker; nobody can delete one over REST."""
        path = f"/trackers/{tracker_id}/baselines"
        return list_whole(self._transport, Reference, path)
