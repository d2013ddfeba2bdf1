"""From a document and a snapshot to the plan that makes them equal; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from airflow_codebeamer.errors import DocumentError, PlanConflictError
from airflow_codebeamer.ids import FieldId, ItemId
from airflow_codebeamer.skeleton.adoption import with_key
from airflow_codebeamer.skeleton.associations import plan_associations
from airflow_codebeamer.skeleton.attachments import AttachmentPlan, plan_attachments
from airflow_codebeamer.skeleton.document import Document, Skeleton
from airflow_codebeamer.skeleton.fields import FieldShape, Value
from airflow_codebeamer.skeleton.flow import status_of
from airflow_codebeamer.skeleton.merge import Verdict, merge
from airflow_codebeamer.skeleton.outline import Outline
from airflow_codebeamer.skeleton.plan import Plan
from airflow_codebeamer.skeleton.prune import prune
from airflow_codebeamer.skeleton.snapshot import Found, Snapshot
from airflow_codebeamer.skeleton.steps import Change, Create, Update
from airflow_codebeamer.skeleton.tokens import has_key, settle

__all__ = ["plan"]


def plan(document: Document, snapshot: Snapshot) -> Plan:
    """Compare a document with a snapshot that was read for it; nothing is asked.

    Raises:
        PlanConflictError: somebody else wrote the value that an owned field has,
            and the policy is to fail then.
        DocumentError: a status that no way leads to, a row without its item.
    """
    if isinstance(document, Skeleton):
        return _plan_skeleton(document, snapshot)
    merged = _Merged(document, snapshot)
    touched = _rows(snapshot) if snapshot.wishes.rows else {}
    everywhere = snapshot.wishes.common
    spoken_of = 0
    for item_id, found in snapshot.items.items():
        place, owned = touched.get(item_id, ("", everywhere))
        if owned:
            spoken_of += 1
            merged.merge(found.key, owned, found, place=place)
    merged.check()
    updates = tuple(merged.updates)
    return Plan(
        document=document,
        snapshot=snapshot,
        updates=updates,
        kept=tuple(merged.kept),
        kept_fields=frozenset(merged.kept_fields),
        unchanged=spoken_of - len(updates),
    )


def _plan_skeleton(document: Skeleton, snapshot: Snapshot) -> Plan:
    wishes = snapshot.wishes.wishes
    merged = _Merged(document, snapshot)
    for wish in wishes:
        if wish.key in snapshot.keyed:
            merged.merge(
                wish.key,
                wish.owned,
                snapshot.keyed[wish.key],
                place=wish.place,
                is_protected=wish.is_protected,
            )
    files = plan_attachments(document, snapshot)
    merged.add(files)
    merged.check()
    updates = with_key(merged.updates, snapshot)
    outline = Outline(snapshot, document.policy.order)
    creates, late = _late(outline.create(wishes), snapshot)
    moves = outline.move(wishes)
    gone = _gone(document, snapshot)
    pruned = prune(document.policy.prune, gone, snapshot, outline)
    reorders = outline.reorder()
    touched = {create.key for create in creates}
    touched |= {update.key for update in updates}
    touched |= {move.key for move in moves}
    associates, dissociates = plan_associations(snapshot)
    touched |= {step.key for step in files.attaches}
    touched |= {step.key for step in associates} | {step.key for step in dissociates}
    return Plan(
        document=document,
        snapshot=snapshot,
        creates=tuple(creates),
        updates=(*updates, *late, *pruned.updates),
        moves=(*moves, *pruned.moves),
        reorders=tuple(reorders),
        kept=tuple(merged.kept),
        kept_fields=frozenset(merged.kept_fields),
        associates=associates,
        dissociates=dissociates,
        attaches=tuple(files.attaches),
        discards=tuple(pruned.discards),
        gone=tuple(gone),
        pruned=frozenset(pruned.items),
        spared=tuple(pruned.spared),
        unchanged=len(wishes) - len(touched),
    )


def _gone(document: Skeleton, snapshot: Snapshot) -> list[Found]:
    """Return the items of ours that the document does not name, oldest first."""
    prefix, wanted = document.identity.prefix, snapshot.wishes.by_key
    return [
        found
        for key, found in snapshot.keyed.items()
        if key.startswith(prefix)
        and key not in wanted
        and _is_below(found, snapshot)
        and found.item_id != snapshot.root
    ]


def _is_below(found: Found, snapshot: Snapshot) -> bool:
    """Whether an item stands below the document's root, as all do without one."""
    above: ItemId | None = found.item_id
    while above != snapshot.root:
        one = snapshot.items.get(above) if above is not None else None
        if one is None:
            return False
        above = one.parent
    return True


Owned = Mapping[FieldId, Value]


def _rows(snapshot: Snapshot) -> dict[ItemId, tuple[str, Owned]]:
    """Return what is wished of single items, by their numbers.

    Raises:
        DocumentError: a row whose item is not there.
    """
    found: dict[ItemId, tuple[str, Owned]] = {}
    for name, row in snapshot.wishes.rows.items():
        if isinstance(name, str):
            item = snapshot.keyed.get(name)
            what = f"no item that is looked at carries the key {name!r}"
        else:
            item = snapshot.items.get(name)
            what = f"there is no item {name} among those that are looked at"
        if item is None:
            raise DocumentError(row.place, what)
        if item.item_id in found:
            raise DocumentError(row.place, f"item {item.item_id} has a row already")
        found[item.item_id] = (row.place, row.owned)
    return found


def _late(
    creates: list[Create], snapshot: Snapshot
) -> tuple[list[Create], list[Update]]:
    """Take out of new items what they can only be given once all are there."""
    made: list[Create] = []
    late: list[Update] = []
    numbers = _numbers(snapshot)
    for create in creates:
        values: dict[FieldId, Value] = {}
        changes: list[Change] = []
        for field_id, wanted in create.values.items():
            value = settle(wanted, numbers)
            shape = snapshot.wishes.shapes[field_id]
            if has_key(value):
                changes.append(Change(field_id, shape.empty, value))
            elif shape.is_status and (change := _first_status(shape, value, snapshot)):
                changes.append(change)
            else:
                values[field_id] = value
        made.append(replace(create, values=values))
        if changes:
            late.append(Update(create.key, create.key, tuple(changes)))
    return made, late


def _first_status(shape: FieldShape, value: Value, snapshot: Snapshot) -> Change | None:
    """Return the way to a status, None if an item can be created with it."""
    flow = snapshot.flow
    if flow is None or flow.first is None or not isinstance(value, tuple) or not value:
        return None
    way = flow.way(flow.first, int(value[0]))
    if not way:
        # It is the first one; or no way leads there, and the server may say so.
        return None
    hops: list[Value] = [(step,) for step in way]
    return Change(shape.field_id, (flow.first,), hops[-1], tuple(hops[:-1]))


def _numbers(snapshot: Snapshot) -> dict[str, ItemId]:
    return {key: found.item_id for key, found in snapshot.keyed.items()}


class _Merged:
    def __init__(self, document: Document, snapshot: Snapshot) -> None:
        self._policy = document.policy.foreign_edit
        self._snapshot = snapshot
        self._numbers = _numbers(snapshot)
        self.updates: list[Update] = []
        self.kept: list[str] = []
        self.kept_fields: list[tuple[ItemId, FieldId]] = []
        self._conflicts: list[str] = []

    def merge(
        self,
        key: str,
        owned: Owned,
        found: Found,
        *,
        place: str = "",
        is_protected: bool = False,
    ) -> None:
        changes: list[Change] = []
        shapes = self._snapshot.wishes.shapes
        for field_id, wished in owned.items():
            shape, there = shapes[field_id], found.values[field_id]
            is_settled = not (shape.refers or shape.columns)
            wanted = wished if is_settled else settle(wished, self._numbers)
            if wanted == there:
                continue
            verdict = merge(
                shape,
                wanted,
                there,
                is_edited=self._snapshot.is_edited(found, shape),
                is_protected=is_protected,
                policy=self._policy,
            )
            match verdict:
                case Verdict.CHANGE:
                    via = self._via(shape, there, wanted, found, place)
                    changes.append(Change(field_id, there, wanted, via))
                case Verdict.KEEP:
                    self.kept.append(self._line(key, found, shape, wanted))
                    self.kept_fields.append((found.item_id, field_id))
                case Verdict.CONFLICT:
                    self._conflicts.append(self._line(key, found, shape, wanted))
                case Verdict.SAME:
                    pass
        if changes:
            self.updates.append(Update(found.item_id, key, tuple(changes)))

    def add(self, files: AttachmentPlan) -> None:
        """Take over what was found about files."""
        self.kept += files.kept
        self._conflicts += files.conflicts

    def check(self) -> None:
        if self._conflicts:
            raise PlanConflictError(self._conflicts)

    def _line(self, key: str, found: Found, shape: FieldShape, wanted: Value) -> str:
        there = found.values[shape.field_id]
        return (
            f"{key or found.name} (item {found.item_id}): {shape.name} is "
            f"{shape.show(there)}, last changed by "
            f"{found.modified_by or 'somebody'}, the document wants "
            f"{shape.show(wanted)}"
        )

    def _via(
        self, shape: FieldShape, there: Value, wanted: Value, found: Found, place: str
    ) -> tuple[Value, ...]:
        """Return the statuses between two, none for any other field."""
        flow = self._snapshot.flow
        if not shape.is_status or flow is None:
            return ()
        before, after = status_of(there), status_of(wanted)
        way = flow.way(before, after)
        if way is None:
            raise DocumentError(
                f"{place}.fields.{shape.name}" if place else f"set.{shape.name}",
                f"item {found.item_id} cannot get from {shape.show(there)} to "
                f"{shape.show(wanted)}: the workflow has no way there",
            )
        return tuple((step,) for step in way[:-1])
