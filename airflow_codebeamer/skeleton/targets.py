"""Several documents and their trackers: planned together, in the order they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from airflow_codebeamer.client import Client
from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.ids import FieldId, ItemId, TrackerId
from airflow_codebeamer.skeleton.directory import ServerDirectory
from airflow_codebeamer.skeleton.document import Document
from airflow_codebeamer.skeleton.documents import in_order, place_of
from airflow_codebeamer.skeleton.look import read_snapshot, resolve_target
from airflow_codebeamer.skeleton.neighbours import Neighbours
from airflow_codebeamer.skeleton.plan import Plan
from airflow_codebeamer.skeleton.planning import plan
from airflow_codebeamer.skeleton.planset import PlanSet
from airflow_codebeamer.skeleton.released import emptied
from airflow_codebeamer.skeleton.resolve import resolve
from airflow_codebeamer.skeleton.schema import Schema

__all__ = ["Targets"]


OwnedBefore = Callable[[TrackerId, Document], frozenset[FieldId]]


def _nothing(_: TrackerId, __: Document) -> frozenset[FieldId]:
    return frozenset()


class Targets:
    """Several documents, each for a tracker of its own, that belong together.

    One may point at items that another will make: it is planned as if they were
    there, and gets their numbers once they are.

    Not promised: documents that refer to each other in a circle.

    Raises:
        DocumentError: two for one tracker, two levels of undoing, a tracker that
            is not there, a circle.
    """

    def __init__(
        self,
        client: Client,
        documents: Sequence[Document],
        owned_before: OwnedBefore = _nothing,
    ) -> None:
        self._client = client
        self._owned_before = owned_before
        self._neighbours = Neighbours()
        by_tracker = _by_tracker(client, documents)
        self._directories = {
            tracker_id: ServerDirectory(client, tracker_id, document, self._neighbours)
            for tracker_id, document in by_tracker.items()
        }
        self.documents = {
            tracker_id: by_tracker[tracker_id]
            for tracker_id in in_order(by_tracker, self._tracker_of)
        }

    @property
    def tracker_ids(self) -> list[TrackerId]:
        """The trackers, ascending: the order in which they are locked."""
        return sorted(self.documents)

    def plan(self) -> PlanSet:
        """Read every tracker once and plan it; nothing is written.

        Raises:
            SkeletonError: what `read_snapshot` and `plan` raise.
        """
        plans: list[Plan] = []
        for tracker_id, document in self.documents.items():
            directory = self._directories[tracker_id]
            snapshot = read_snapshot(
                self._client,
                tracker_id,
                document,
                directory=directory,
                owned_before=self._owned_before(tracker_id, document),
            )
            plans.append(plan(document, snapshot))
            self._neighbours.learn(plans[-1])
        return PlanSet(tuple(plans), self)

    def settle(self, planned: Plan) -> Plan:
        """Return a plan in which what others have made by now has its number."""
        tracker_id = planned.snapshot.tracker_id
        if not self._neighbours.is_waiting(tracker_id):
            return planned
        fields = self._client.trackers.list_schema(tracker_id)
        before = self._owned_before(tracker_id, planned.document)
        directory = self._directories[tracker_id]
        wishes = resolve(planned.document, fields, directory)
        wishes = emptied(wishes, Schema(fields), before)
        return plan(planned.document, replace(planned.snapshot, wishes=wishes))

    def learn(self, planned: Plan) -> None:
        """Take in how a tracker is planned under the lock."""
        self._neighbours.learn(planned)

    def note(self, planned: Plan, created: Mapping[str, ItemId]) -> None:
        """Take in which items were made."""
        self._neighbours.note(planned.snapshot.tracker_id, created)

    def _tracker_of(self, tracker_id: TrackerId, name: int | str) -> TrackerId | None:
        try:
            return self._directories[tracker_id].tracker_of(name)
        except ValueError:
            # Said with its place when the document is resolved.
            return None


def _by_tracker(
    client: Client, documents: Sequence[Document]
) -> dict[TrackerId, Document]:
    found: dict[TrackerId, Document] = {}
    for number, document in enumerate(documents):
        try:
            tracker_id = resolve_target(client, document)
        except DocumentError as error:
            raise DocumentError(place_of(number, error.path), error.problem) from None
        if tracker_id in found:
            raise DocumentError(
                place_of(number, "target.tracker"),
                f"tracker {tracker_id} has a document already; put both into one",
            )
        if document.policy.on_failure != documents[0].policy.on_failure:
            raise DocumentError(
                place_of(number, "policy.on_failure"),
                f"is {document.policy.on_failure!r}, and that of the first document "
                f"{documents[0].policy.on_failure!r}: they are undone as one",
            )
        found[tracker_id] = document
    return found
