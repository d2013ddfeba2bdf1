"""Reads from the server: which tracker is meant, and what stands in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from airflow_codebeamer.client import LONGEST_PAGE, Client
from airflow_codebeamer.errors import ApiError, DocumentError, NotFoundError
from airflow_codebeamer.ids import FieldId, ItemId, ProjectId, TrackerId
from airflow_codebeamer.models import Item, Project
from airflow_codebeamer.skeleton.adoption import adopted
from airflow_codebeamer.skeleton.associations import with_associations
from airflow_codebeamer.skeleton.attachments import with_attachments
from airflow_codebeamer.skeleton.directory import ServerDirectory
from airflow_codebeamer.skeleton.document import Document, Skeleton
from airflow_codebeamer.skeleton.flow import Flow
from airflow_codebeamer.skeleton.past import with_past
from airflow_codebeamer.skeleton.released import emptied
from airflow_codebeamer.skeleton.resolve import resolve
from airflow_codebeamer.skeleton.schema import Schema
from airflow_codebeamer.skeleton.snapshot import (
    Found,
    Snapshot,
    check_copies,
    freeze,
    read_found,
    rooted,
)
from airflow_codebeamer.skeleton.wishes import WishList
from airflow_codebeamer.skeleton.wording import suggestion

__all__ = [
    "list_tracker_items",
    "read_again",
    "read_items",
    "read_snapshot",
    "resolve_target",
]


def resolve_target(client: Client, document: Document) -> TrackerId:
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
    document: Document,
    *,
    account: str | None = None,
    directory: ServerDirectory | None = None,
    owned_before: Collection[FieldId] = (),
) -> Snapshot:
    """Read the schema once and the items in pages of 500.

    What the document points at elsewhere is looked up, and the workflow read if
    it writes statuses. `account` is the log-in name whose edits are ours, by
    default the client's; `directory` is asked for what the document points at.
    Fields that were `owned_before` and are not named any more are wished empty.

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
    directory = directory or ServerDirectory(client, tracker_id, document)
    wishes = resolve(document, fields, directory)
    wishes = emptied(wishes, Schema(fields), owned_before) if owned_before else wishes
    snapshot = freeze(
        tracker_id,
        client.settings.login if account is None else account,
        wishes,
        _read(client, tracker_id, _queries(tracker_id, document), wishes),
        flow=_flow(client, tracker_id, wishes),
        queries=_queries(tracker_id, document),
    )
    check_copies(document, snapshot)
    snapshot = _with_protected(client, document, rooted(document, snapshot))
    snapshot = adopted(document, snapshot)
    snapshot = with_associations(client, with_past(client, document, snapshot))
    return with_attachments(client, snapshot)


def read_again(client: Client, snapshot: Snapshot) -> Snapshot:
    """Read the items once more, without the schema: what a verification needs.

    Several items with one key are no error here; `copies` has them.
    """
    wishes = snapshot.wishes
    again = freeze(
        snapshot.tracker_id,
        snapshot.account,
        wishes,
        _read(client, snapshot.tracker_id, snapshot.queries, wishes),
        flow=snapshot.flow,
        queries=snapshot.queries,
    )
    return replace(
        again,
        root=snapshot.root,
        protected=snapshot.protected,
        associations=snapshot.associations,
        attachments=snapshot.attachments,
    )


def read_items(
    client: Client, snapshot: Snapshot, item_ids: Sequence[ItemId]
) -> list[Found]:
    """Read some items of a snapshot's tracker, in pages of 500."""
    chunks = _chunks(snapshot.tracker_id, item_ids)
    return _read(client, snapshot.tracker_id, chunks, snapshot.wishes)


def _chunks(tracker_id: TrackerId, numbers: Sequence[int]) -> tuple[str, ...]:
    return tuple(
        f"tracker.id IN ({tracker_id}) AND item.id IN "
        f"({', '.join(map(str, numbers[start : start + LONGEST_PAGE]))})"
        for start in range(0, len(numbers), LONGEST_PAGE)
    )


def _queries(tracker_id: TrackerId, document: Document) -> tuple[str, ...]:
    """Return the queries that find what a document speaks of."""
    whole = f"tracker.id IN ({tracker_id})"
    if isinstance(document, Skeleton):
        return (whole,)
    if document.where is not None:
        return (f"{whole} AND ({document.where})",)
    numbers = [row.item for row in document.rows if row.item is not None]
    if document.set or len(numbers) < len(document.rows):
        return (whole,)
    return _chunks(tracker_id, numbers)


def _read(
    client: Client, tracker_id: TrackerId, queries: Iterable[str], wishes: WishList
) -> list[Found]:
    def convert(raw: Any) -> Found:
        if raw["tracker"]["id"] != tracker_id:
            raise DocumentError(
                "where",
                f"finds items outside of tracker {tracker_id}; it may only"
                " narrow the choice of its items",
            )
        return read_found(raw, wishes)

    return [
        found for query in queries for found in client.items.query_each(query, convert)
    ]


def _with_protected(client: Client, document: Document, snapshot: Snapshot) -> Snapshot:
    """Ask which items the policy protects, if there is one that it would prune."""
    if not isinstance(document, Skeleton):
        return snapshot
    policy, known = document.policy.prune, snapshot.wishes.by_key
    is_asked = policy.mode != "report" and policy.protect is not None
    if not is_asked or all(key in known for key in snapshot.keyed):
        return snapshot
    query = f"tracker.id IN ({snapshot.tracker_id}) AND ({policy.protect})"
    found = client.items.query_each(query, lambda raw: ItemId(raw["id"]))
    return replace(snapshot, protected=frozenset(found))


def _flow(client: Client, tracker_id: TrackerId, wishes: WishList) -> Flow | None:
    """Return the workflow if a status is written and it can be read."""
    if not any(shape.is_status for shape in wishes.shapes.values()):
        return None
    try:
        return Flow(client.trackers.list_transitions(tracker_id))
    except ApiError:
        # The server judges the step itself then.
        return None


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
