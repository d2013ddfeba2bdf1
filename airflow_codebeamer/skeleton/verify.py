"""Is the tracker what the document says? A difference is a finding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_codebeamer.skeleton.document import Document
from airflow_codebeamer.skeleton.fields import is_same
from airflow_codebeamer.skeleton.plan import Plan
from airflow_codebeamer.skeleton.planning import plan
from airflow_codebeamer.skeleton.snapshot import Snapshot
from airflow_codebeamer.skeleton.steps import Attach
from airflow_codebeamer.skeleton.tokens import settle

__all__ = ["verify"]


def verify(wanted: Plan | Document, snapshot: Snapshot) -> list[str]:
    """Return a line for each difference; an empty list is the proof.

    Given the plan that was applied, what new items were seeded with is compared
    too; given the document, only what it owns.

    Not promised: who made the difference. What was kept on purpose, because
    somebody else had edited it, is none.
    """
    findings = [*_copies(snapshot)]
    if isinstance(wanted, Plan):
        judged, kept = plan(_strict(wanted.document), snapshot), wanted.kept_fields
    else:
        is_kept = wanted.policy.foreign_edit == "keep"
        judged = plan(wanted if is_kept else _strict(wanted), snapshot)
        kept = frozenset()
    shapes = snapshot.wishes.shapes
    findings += [f"{create.key} is missing" for create in judged.creates]
    for update in judged.updates:
        for change in update.changes:
            if (update.item_id, change.field_id) in kept:
                continue
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
    findings += [
        f"{step.key}: the association {step.type} to {step.target} is missing"
        for step in judged.associates
    ]
    findings += [
        f"{step.key}: the association {step.type} to {step.target} is too many"
        for step in judged.dissociates
    ]
    findings += [
        f"{step.key}: the attachment {step.name!r} is missing or another"
        for step in judged.attaches
        if not isinstance(wanted, Plan) or _is_sent(step, wanted)
    ]
    if isinstance(wanted, Plan):
        findings += _seeds(wanted, snapshot)
    return findings


def _is_sent(step: Attach, applied: Plan) -> bool:
    """Whether a plan sent that file; what was kept on purpose is no finding."""
    return any((one.key, one.name) == (step.key, step.name) for one in applied.attaches)


def _strict(document: Document) -> Document:
    """Return the document as one that would overwrite: all that differs shows."""
    policy: Any = document.policy.model_copy(update={"foreign_edit": "overwrite"})
    return document.model_copy(update={"policy": policy})


def _copies(snapshot: Snapshot) -> Iterator[str]:
    for key, copies in snapshot.copies.items():
        if key in snapshot.wishes.by_key:
            ids = ", ".join(str(copy.item_id) for copy in copies)
            yield f"{key} stands in further items: {ids}"


def _seeds(applied: Plan, snapshot: Snapshot) -> Iterator[str]:
    numbers = {key: found.item_id for key, found in snapshot.keyed.items()}
    for create in applied.creates:
        wish = snapshot.wishes.by_key.get(create.key)
        found = snapshot.keyed.get(create.key)
        if wish is None or found is None:
            continue
        for field_id, value in wish.seeded.items():
            shape, seeded = snapshot.wishes.shapes[field_id], settle(value, numbers)
            if not is_same(shape, seeded, found.values[field_id]):
                yield (
                    f"{create.key} (item {found.item_id}): {shape.name} is "
                    f"{shape.show(found.values[field_id])}, was seeded with "
                    f"{shape.show(seeded)}"
                )
