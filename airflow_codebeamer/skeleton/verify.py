"""Is the tracker what the document says? A difference is a finding."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_codebeamer.skeleton.document import Policy, Skeleton
from airflow_codebeamer.skeleton.fields import is_same
from airflow_codebeamer.skeleton.plan import Plan, plan
from airflow_codebeamer.skeleton.snapshot import Snapshot

__all__ = ["verify"]


def verify(wanted: Plan | Skeleton, snapshot: Snapshot) -> list[str]:
    """Return a line for each difference; an empty list is the proof.

    Given the plan that was applied, what new items were seeded with is compared
    too; given the document, only what it owns.

    Not promised: who made the difference. What was kept on purpose, because
    somebody else had edited it, is none.
    """
    document = wanted.document if isinstance(wanted, Plan) else wanted
    findings = [*_copies(snapshot)]
    kept = document.policy.foreign_edit == "keep"
    judged = plan(document if kept else _strict(document), snapshot)
    shapes = snapshot.wishes.shapes
    findings += [f"{create.key} is missing" for create in judged.creates]
    for update in judged.updates:
        for change in update.changes:
            shape = shapes[change.field_id]
            findings.append(
                f"{update.key} (item {update.item_id}): {shape.name} is "
                f"{shape.show(change.before)}, should be {shape.show(change.after)}"
            )
    findings += [
        f"{move.key} (item {move.item_id}) is below another parent"
        for move in judged.moves
    ]
    findings += [
        f"the order below {step.parent or 'the top'} is another"
        for step in judged.reorders
    ]
    if isinstance(wanted, Plan):
        findings += _seeds(wanted, snapshot)
    return findings


def _strict(document: Skeleton) -> Skeleton:
    """Return the document as one that would overwrite: all that differs shows."""
    policy = Policy.model_validate(
        {**document.policy.model_dump(), "foreign_edit": "overwrite"}
    )
    return document.model_copy(update={"policy": policy})


def _copies(snapshot: Snapshot) -> Iterator[str]:
    for key, copies in snapshot.copies.items():
        if key in snapshot.wishes.by_key:
            ids = ", ".join(str(copy.item_id) for copy in copies)
            yield f"{key} stands in further items: {ids}"


def _seeds(applied: Plan, snapshot: Snapshot) -> Iterator[str]:
    for create in applied.creates:
        wish = snapshot.wishes.by_key.get(create.key)
        found = snapshot.keyed.get(create.key)
        if wish is None or found is None:
            continue
        for field_id, seeded in wish.seeded.items():
            shape = snapshot.wishes.shapes[field_id]
            if not is_same(shape, seeded, found.values[field_id]):
                yield (
                    f"{create.key} (item {found.item_id}): {shape.name} is "
                    f"{shape.show(found.values[field_id])}, was seeded with "
                    f"{shape.show(seeded)}"
                )
