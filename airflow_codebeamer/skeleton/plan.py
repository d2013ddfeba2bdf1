"""Plan: what has to be done to make a tracker equal to a document."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from math import ceil
from typing import Any

from airflow_codebeamer.errors import PlanConflictError
from airflow_codebeamer.skeleton.document import Skeleton
from airflow_codebeamer.skeleton.merge import Verdict, merge
from airflow_codebeamer.skeleton.outline import Outline
from airflow_codebeamer.skeleton.resolve import Wish
from airflow_codebeamer.skeleton.snapshot import Found, Snapshot
from airflow_codebeamer.skeleton.steps import (
    Change,
    Create,
    Move,
    Reorder,
    Step,
    Update,
)

__all__ = ["BULK", "Plan", "plan"]

#: How many items one bulk update changes. No server documents a limit.
BULK = 100

_PAGE = 500


@dataclass(frozen=True)
class Plan:
    """The steps from a snapshot to its document, and what they will cost.

    `kept` says in a line each what was edited by somebody else and stays;
    `gone` are items that carry keys of ours which the document does not name:
    reported, never touched.
    """

    document: Skeleton
    snapshot: Snapshot
    creates: tuple[Create, ...] = ()
    updates: tuple[Update, ...] = ()
    moves: tuple[Move, ...] = ()
    reorders: tuple[Reorder, ...] = ()
    kept: tuple[str, ...] = ()
    gone: tuple[Found, ...] = ()
    unchanged: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write: no lock is needed then."""
        return not (self.creates or self.updates or self.moves or self.reorders)

    @property
    def counts(self) -> dict[str, int]:
        """How many things each word applies to; an item may count twice."""
        return {
            "created": len(self.creates),
            "updated": len(self.updates),
            "moved": len(self.moves),
            "reordered": len(self.reorders),
            "unchanged": self.unchanged,
            "kept": len(self.kept),
            "gone": len(self.gone),
            "pruned": 0,
        }

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the plan leaves alone although the document says otherwise."""
        return (
            *(f"kept: {line}" for line in self.kept),
            *(
                f"not in the document any more: {found.key} (item {found.item_id})"
                for found in self.gone
            ),
        )

    @property
    def requests(self) -> int:
        """Requests that applying and verifying need; an empty plan needs none."""
        if self.is_empty:
            return 0
        pages = ceil((len(self.snapshot.items) + len(self.creates)) / _PAGE)
        return (
            len(self.creates)
            + ceil(len(self.updates) / BULK)
            + len(self.moves)
            + len(self.reorders)
            + max(1, pages)
        )

    def seconds(
        self, requests_per_second: float | None, requests_per_minute: float | None
    ) -> float:
        """Estimate how long the requests take at a given pace, None: no limit.

        Not promised: what the server itself needs to answer.
        """
        waits = [0.0]
        if requests_per_second:
            waits.append(self.requests / requests_per_second)
        if requests_per_minute:
            above = self.requests - requests_per_minute
            waits.append(above * 60 / requests_per_minute)
        return max(waits)

    @property
    def digest(self) -> str:
        """A name for these very steps; the same plan has it on every machine."""
        steps = json.dumps(self._steps(), sort_keys=True, ensure_ascii=False)
        return "sha256:" + hashlib.sha256(steps.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON would have it."""
        return {
            "tracker_id": self.snapshot.tracker_id,
            "owner": self.document.owner,
            "digest": self.digest,
            "is_empty": self.is_empty,
            "counts": self.counts,
            "requests": self.requests,
            "steps": self._steps(),
            "kept": list(self.kept),
            "gone": [
                {"item": found.item_id, "key": found.key, "name": found.name}
                for found in self.gone
            ],
        }

    def text(self, limit: int = 20) -> str:
        """Return the plan as people read it, at most `limit` lines of each kind."""
        counts = ", ".join(
            f"{count} {_WORDS[word]}" for word, count in self.counts.items() if count
        )
        lines = [f"Tracker {self.snapshot.tracker_id}: {counts or 'nothing'}"]
        if not self.is_empty:
            lines[0] += f"; {self.requests} requests"
        for group in (
            [self._created(create) for create in self.creates],
            [line for update in self.updates for line in self._updated(update)],
            [f"> {move.key} (item {move.item_id}) moves" for move in self.moves],
            [f"= order below {_named(step.parent)}" for step in self.reorders],
            [f"! {line}" for line in self.warnings],
        ):
            lines += group[:limit]
            if len(group) > limit:
                lines.append(f"  … and {len(group) - limit} more")
        return "\n".join(lines)

    def _created(self, create: Create) -> str:
        return f"+ {create.key}: {create.name!r} below {_named(create.parent)}"

    def _updated(self, update: Update) -> list[str]:
        shapes = self.snapshot.wishes.shapes
        return [
            f"~ {update.key} (item {update.item_id}): {shapes[c.field_id].name} "
            f"{shapes[c.field_id].show(c.before)} → {shapes[c.field_id].show(c.after)}"
            for c in update.changes
        ]

    def _steps(self) -> list[dict[str, Any]]:
        steps: tuple[Step, ...] = (
            *self.creates,
            *self.updates,
            *self.moves,
            *self.reorders,
        )
        return [step.to_json() for step in steps]


_WORDS = {
    "created": "to create",
    "updated": "to update",
    "moved": "to move",
    "reordered": "parents to reorder",
    "unchanged": "unchanged",
    "kept": "kept as edited by others",
    "gone": "not in the document any more",
}


def plan(document: Skeleton, snapshot: Snapshot) -> Plan:
    """Compare a document with a snapshot that was read for it; nothing is asked.

    Raises:
        PlanConflictError: somebody else changed an item last, an owned field of
            it differs, and the policy is to fail then.
    """
    wishes = snapshot.wishes.wishes
    merged = _Merged(document, snapshot)
    for wish in wishes:
        if wish.key in snapshot.keyed:
            merged.merge(wish, snapshot.keyed[wish.key])
    if merged.conflicts:
        raise PlanConflictError(merged.conflicts)
    outline = Outline(snapshot, document.policy.order)
    creates = outline.create(wishes)
    moves = outline.move(wishes)
    reorders = outline.reorder()
    touched = {create.key for create in creates}
    touched |= {update.key for update in merged.updates}
    touched |= {move.key for move in moves}
    prefix = document.identity.prefix
    return Plan(
        document=document,
        snapshot=snapshot,
        creates=tuple(creates),
        updates=tuple(merged.updates),
        moves=tuple(moves),
        reorders=tuple(reorders),
        kept=tuple(merged.kept),
        gone=tuple(
            found
            for key, found in snapshot.keyed.items()
            if key.startswith(prefix) and key not in snapshot.wishes.by_key
        ),
        unchanged=len(wishes) - len(touched),
    )


class _Merged:
    def __init__(self, document: Skeleton, snapshot: Snapshot) -> None:
        self._policy = document.policy
        self._snapshot = snapshot
        self.updates: list[Update] = []
        self.kept: list[str] = []
        self.conflicts: list[str] = []

    def merge(self, wish: Wish, found: Found) -> None:
        changes: list[Change] = []
        for field_id, wanted in wish.owned.items():
            shape = self._snapshot.wishes.shapes[field_id]
            there = found.values[field_id]
            verdict = merge(
                shape,
                wanted,
                there,
                is_foreign=self._snapshot.is_foreign(found),
                is_protected=wish.is_protected,
                policy=self._policy,
            )
            line = (
                f"{wish.key} (item {found.item_id}): {shape.name} is "
                f"{shape.show(there)}, last changed by "
                f"{found.modified_by or 'somebody'}, the document wants "
                f"{shape.show(wanted)}"
            )
            match verdict:
                case Verdict.CHANGE:
                    changes.append(Change(field_id, there, wanted))
                case Verdict.KEEP:
                    self.kept.append(line)
                case Verdict.CONFLICT:
                    self.conflicts.append(line)
                case Verdict.SAME:
                    pass
        if changes:
            self.updates.append(Update(found.item_id, wish.key, tuple(changes)))


def _named(spot: int | str | None) -> str:
    if spot is None:
        return "the top"
    return f"item {spot}" if isinstance(spot, int) else spot
