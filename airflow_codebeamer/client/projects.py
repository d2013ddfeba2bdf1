"""Operations on projects: what is in them, who is in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airflow_codebeamer.client.answers import read, read_many
from airflow_codebeamer.client.paging import (
    LONGEST_PAGE,
    list_paged,
    list_whole,
    page_of,
)
from airflow_codebeamer.client.transport import Transport
from airflow_codebeamer.errors import ApiError, ConfigurationError, NotFoundError
from airflow_codebeamer.ids import ProjectId, TrackerId, UserId
from airflow_codebeamer.models import Project, Reference, Tracker

__all__ = ["Projects"]

#: How servers say that they do not offer an operation.
_NO_SUCH_OPERATION = frozenset({404, 405, 501})


class Projects:
    """Projects by number, name or key."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list_projects(self) -> list[Reference]:
        """Return the projects that this account may see."""
        return list_whole(self._transport, Reference, "/projects")

    def get_project(self, project_id: ProjectId) -> Project:
        """Return a project.

        Raises:
            NotFoundError: there is none, or this account may not see it.
        """
        path = f"/projects/{project_id}"
        return read(Project, self._transport.read("GET", path), f"GET {path}")

    def find_project(self, name_or_key: str | int) -> Project | None:
        """Return the project of that number (int), name or key, None if none is.

        Raises:
            ConfigurationError: several projects have that name.
        """
        if isinstance(name_or_key, int):
            try:
                return self.get_project(ProjectId(name_or_key))
            except NotFoundError:
                return None
        listed = self.list_projects()
        named = _only_one("project", name_or_key, listed)
        if named is not None:
            return self.get_project(ProjectId(named.id))
        return self._find_project_by_key(name_or_key, listed)

    def list_trackers(self, project_id: ProjectId) -> list[Reference]:
        """Return the trackers of a project: numbers and names."""
        path = f"/projects/{project_id}/trackers"
        return list_whole(self._transport, Reference, path)

    def find_tracker(
        self, project_id: ProjectId, name_or_key: str | int
    ) -> Tracker | None:
        """Return a project's tracker of that number, name or key, None if none is.

        By key each tracker is asked in turn: no operation is documented to
        find a tracker by its key.

        Raises:
            ConfigurationError: several trackers have that name.
        """
        listed = self.list_trackers(project_id)
        if isinstance(name_or_key, int):
            numbers = {tracker.id for tracker in listed}
            return self._tracker(name_or_key) if name_or_key in numbers else None
        named = _only_one("tracker", name_or_key, listed)
        if named is not None:
            return self._tracker(named.id)
        for reference in listed:
            tracker = self._tracker(reference.id)
            if tracker.key_name == name_or_key:
                return tracker
        return None

    def list_members(self, project_id: ProjectId) -> list[Reference]:
        """Return the users and groups in a project; `type` tells which.

        Raises:
            ForbiddenError: needs the project permission "Members - View".
        """
        path = f"/projects/{project_id}/members"
        return list_paged(self._transport, Reference, path)

    def list_member_roles(
        self, project_id: ProjectId, user_id: UserId
    ) -> list[Reference]:
        """Return the roles of an account in a project; none if it is no member."""
        path = f"/projects/{project_id}/members/{user_id}/permissions"
        try:
            answer = self._transport.read("GET", path)
        except NotFoundError:
            return []
        roles = answer.get("roles") if isinstance(answer, dict) else answer
        return read_many(Reference, roles or [], f"GET {path}")

    def _find_project_by_key(
        self, key: str, listed: Sequence[Reference]
    ) -> Project | None:
        projects: Iterable[Project]
        try:
            projects = self._search(key)
        except ApiError as error:
            if error.status not in _NO_SUCH_OPERATION:
                raise
            projects = (self.get_project(ProjectId(entry.id)) for entry in listed)
        # The vendor does not say whether the filter wants the whole key.
        return next((found for found in projects if found.key_name == key), None)

    def _search(self, key: str) -> list[Project]:
        path = "/projects/search"
        answer = self._transport.read("POST", path, body={"keyName": key})
        page = page_of(answer, f"POST {path}", number=1, size=LONGEST_PAGE)
        return read_many(Project, page.entries, f"POST {path}")

    def _tracker(self, tracker_id: int) -> Tracker:
        path = f"/trackers/{TrackerId(tracker_id)}"
        return read(Tracker, self._transport.read("GET", path), f"GET {path}")


def _only_one(kind: str, name: str, listed: Sequence[Reference]) -> Reference | None:
    found = [reference for reference in listed if reference.name == name]
    if len(found) > 1:
        numbers = ", ".join(str(reference.id) for reference in found)
        raise ConfigurationError(
            kind, f"several are called {name!r}, give one of the numbers {numbers}"
        )
    return found[0] if found else None
