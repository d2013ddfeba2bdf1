"""Fields that a document owned once and does not name any more."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.ids import FieldId, TrackerId
from airflow_codebeamer.journal import JSON, Runs
from airflow_codebeamer.skeleton.document import Document, Skeleton
from airflow_codebeamer.skeleton.fields import FieldShape
from airflow_codebeamer.skeleton.plan import Plan
from airflow_codebeamer.skeleton.schema import Schema
from airflow_codebeamer.skeleton.wishes import WishList

__all__ = ["done_with", "emptied", "owned_before"]

_FIELDS = "fields"


def done_with(plan: Plan) -> dict[str, JSON]:
    """Return what the store keeps of a run that is done: counts, and owned fields."""
    wishes = plan.snapshot.wishes
    owned = {
        field_id
        for wish in wishes.wishes
        for field_id in wish.owned
        if not wishes.shapes[field_id].item_property
    }
    return {**plan.counts, _FIELDS: sorted(owned - wishes.released)}


def owned_before(
    runs: Runs, server: str, tracker_id: TrackerId, document: Document
) -> frozenset[FieldId]:
    """Return the fields that the document's last run owned, if it is to know.

    Raises:
        DatabaseError: the store cannot be read.
    """
    if not isinstance(document, Skeleton) or document.policy.released_field == "leave":
        return frozenset()
    last = runs.find_done(server, tracker_id, document.owner)
    summary = last.summary if last is not None else None
    fields = summary.get(_FIELDS) if isinstance(summary, dict) else None
    found = fields if isinstance(fields, list) else []
    return frozenset(FieldId(one) for one in found if isinstance(one, int))


def emptied(wishes: WishList, schema: Schema, before: Collection[FieldId]) -> WishList:
    """Return the wishes with every field that is not named any more wished empty.

    One that the tracker has no more, or that cannot be written, is forgotten.
    """
    shapes: dict[FieldId, FieldShape] = {}
    for field_id in sorted(set(before) - set(wishes.shapes)):
        try:
            shapes[field_id] = schema.get_number(field_id)
        except DocumentError:
            continue
    if not shapes:
        return wishes
    empty = {field_id: shape.empty for field_id, shape in shapes.items()}
    made = tuple(replace(wish, owned={**empty, **wish.owned}) for wish in wishes.wishes)
    return replace(
        wishes,
        wishes=made,
        shapes={**wishes.shapes, **shapes},
        by_key={wish.key: wish for wish in made},
        released=frozenset(shapes),
    )
