"""Reads from the server: which tracker is meant, and what stands in it."""

from __future__ import annotations

from airflow_codebeamer.client import Client
from airflow_codebeamer.errors import DocumentError, NotFoundError
from airflow_codebeamer.ids import ProjectId, TrackerId
from airflow_codebeamer.models import Item, Project
from airflow_codebeamer.skeleton.document import Skeleton
from airflow_codebeamer.skeleton.resolve import resolve
from airflow_codebeamer.skeleton.snapshot import Snapshot, check_copies, freeze
from airflow_codebeamer.skeleton.wording import suggestion

__all__ = ["list_tracker_items", "read_again", "read_snapshot", "resolve_target"]


def resolve_target(client: Client, document: Skeleton) -> TrackerId:
    """Return the tracker that the document names; by number it costs no request.

    Raises:
        DocumentError: no such project or tracker; names one that is close.
    """
    target = document.target
    if isinstance(target.tracker, int):
        return TrackerId(target.tracker)
    if target.project is None:
        raise DocumentError(
            "target.project", "a tracker given by name or key needs its project"
        )
    project = _project(client, target.project)
    project_id = ProjectId(project.id)
    tracker = client.projects.find_tracker(project_id, target.tracker)
    if tracker is None:
        names = [found.name for found in client.projects.list_trackers(project_id)]
        raise DocumentError(
            "target.tracker",
            f"project {project.name!r} has no tracker {target.tracker!r}, only"
            f" {', '.join(names) or 'none'}{suggestion(target.tracker, names)}",
        )
    return tracker.id


def read_snapshot(
    client: Client,
    tracker_id: TrackerId,
    document: Skeleton,
    *,
    account: str | None = None,
) -> Snapshot:
    """Read the schema once and the items in pages of 500.

    `account` is the log-in name whose edits are ours, by default the client's.

    Raises:
        DocumentError: the tracker is not there, or has not the fields and options
            that the document names, or several items carry one of its keys.
    """
    try:
        fields = client.trackers.list_schema(tracker_id)
    except NotFoundError as error:
        raise DocumentError(
            "target.tracker",
            f"tracker {tracker_id} is not there, or this account may not see it",
        ) from error
    wishes = resolve(document, fields)
    ours = client.settings.login if account is None else account
    items = list_tracker_items(client, tracker_id)
    snapshot = freeze(tracker_id, ours, wishes, items)
    check_copies(document, snapshot)
    return snapshot


def read_again(client: Client, snapshot: Snapshot) -> Snapshot:
    """Read the items once more, without the schema: what a verification needs.

    Several items with one key are no error here; `copies` has them.
    """
    items = list_tracker_items(client, snapshot.tracker_id)
    return freeze(snapshot.tracker_id, snapshot.account, snapshot.wishes, items)


def list_tracker_items(client: Client, tracker_id: TrackerId) -> list[Item]:
    """Return every item of a tracker that is not in the trash."""
    return client.items.query(f"tracker.id IN ({tracker_id})")


def _project(client: Client, name: str | int) -> Project:
    project = client.projects.find_project(name)
    if project is None:
        names = [found.name for found in client.projects.list_projects()]
        raise DocumentError(
            "target.project",
            f"there is no project {name!r}{suggestion(str(name), names)}, or this"
            " account may not see it",
        )
    return project
