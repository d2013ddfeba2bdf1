"""What the documents of one set know of each other's items."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_codebeamer.ids import ItemId, TrackerId
from airflow_codebeamer.skeleton.plan import Plan
from airflow_codebeamer.skeleton.tokens import coming_token, item_token

__all__ = ["Neighbours"]


class Neighbours:
    """Keys of the trackers that are planned already, with numbers or still without."""

    def __init__(self) -> None:
        self._fields: dict[TrackerId, str] = {}
        self._numbers: dict[TrackerId, dict[str, ItemId]] = {}
        self._coming: dict[TrackerId, frozenset[str]] = {}
        self._waiting: set[TrackerId] = set()

    def learn(self, plan: Plan) -> None:
        """Take in what stands in a tracker, and what its plan will make."""
        if plan.snapshot.wishes.identity is None:
            return
        tracker_id = plan.snapshot.tracker_id
        self._fields[tracker_id] = plan.document.identity.field
        copies = plan.snapshot.copies
        self._numbers[tracker_id] = {
            key: found.item_id
            for key, found in plan.snapshot.keyed.items()
            if key not in copies
        }
        self._coming[tracker_id] = frozenset(create.key for create in plan.creates)

    def note(self, tracker_id: TrackerId, created: Mapping[str, ItemId]) -> None:
        """Take in which items were made."""
        self._numbers.setdefault(tracker_id, {}).update(created)

    def find(
        self, tracker_id: TrackerId, field: str, key: str, *, asker: TrackerId
    ) -> str | None:
        """Return the token of an item by its whole key, None if it is not known."""
        if self._fields.get(tracker_id) != field:
            return None
        if key in self._numbers[tracker_id]:
            return item_token(self._numbers[tracker_id][key])
        if key in self._coming[tracker_id]:
            self._waiting.add(asker)
            return coming_token(tracker_id, key)
        return None

    def is_waiting(self, asker: TrackerId) -> bool:
        """Whether a tracker's document points at items that were still to come."""
        return asker in self._waiting
