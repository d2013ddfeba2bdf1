"""Associating: links that a plan makes and removes, side by side."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from airflow_codebeamer.client import Before
from airflow_codebeamer.errors import ApiError, NotFoundError
from airflow_codebeamer.ids import ItemId
from airflow_codebeamer.models import Association
from airflow_codebeamer.skeleton.associations import is_by, read_associations
from airflow_codebeamer.skeleton.steps import Associate, Dissociate
from airflow_codebeamer.skeleton.tokens import number_of_item, settle_token
from airflow_codebeamer.skeleton.writing import Writing

__all__ = ["Associator"]


class Associator:
    """Makes and removes the associations of a plan; `made` are those that it made."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self.made: list[Association] = []

    def associate_all(self) -> None:
        """Make the new ones, then remove what is not wanted any more."""
        crew, plan = self._writing.crew, self._writing.plan
        crew.run(partial(self._make, step) for step in plan.associates)
        crew.run(partial(self._remove, step) for step in plan.dissociates)

    def _make(self, step: Associate) -> None:
        writing = self._writing
        (start,) = writing.numbers([step.item_id])
        end = number_of_item(settle_token(step.target, writing.created))
        made, _ = writing.crew.write(
            partial(self._create, step, start, end),
            partial(self._find, step, start, end),
        )
        self.made.append(made)
        writing.notes.note([step], {"association": made.id})

    def _create(
        self, step: Associate, start: ItemId, end: ItemId, before: Before
    ) -> Association:
        try:
            return self._writing.client.associations.create_association(
                start, end, step.type_id, propagates=step.propagates, before=before
            )
        except ApiError as error:
            error.add_note(f"while linking {step.key!r} to item {end} ({step.type})")
            raise

    def _find(self, step: Associate, start: ItemId, end: ItemId) -> Association | None:
        """Return the association that a lost request may have made."""
        snapshot = self._writing.plan.snapshot
        before = {one.id for one in snapshot.associations.get(start, ())}
        known = {one.id: one for one in self.made}
        now = read_associations(self._writing.client, [start], known)
        for one in now.get(start, ()):
            is_wanted = (one.type_id, one.end_id) == (step.type_id, end)
            if one.id not in before and is_wanted and is_by(one, snapshot.account):
                return one
        return None

    def _remove(self, step: Dissociate) -> None:
        writing = self._writing
        writing.crew.write(partial(self._delete, step), partial(self._is_gone, step))
        writing.notes.note([step], {})

    def _delete(self, step: Dissociate, before: Before) -> bool:
        with suppress(NotFoundError):
            self._writing.client.associations.delete_association(
                step.number, before=before
            )
        return True

    def _is_gone(self, step: Dissociate) -> bool | None:
        now = self._writing.client.associations.list_outgoing([step.item_id])
        there = {one.id for one in now.get(step.item_id, ())}
        return None if step.number in there else True
