"""Plan: what has to be done to make a tracker equal to a document."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any

from airflow_codebeamer.ids import FieldId, ItemId
from airflow_codebeamer.skeleton.document import Document, Skeleton
from airflow_codebeamer.skeleton.plantext import as_markdown, as_text
from airflow_codebeamer.skeleton.snapshot import Found, Snapshot
from airflow_codebeamer.skeleton.steps import (
    Associate,
    Attach,
    Create,
    Discard,
    Dissociate,
    Move,
    Reorder,
    Spot,
    Step,
    Update,
)

__all__ = ["BULK", "LARGEST_BULK", "Plan", "bulks", "pause"]

#: How many items the first bulk update changes. No server documents a limit, so
#: later ones are larger while it goes well.
BULK = 100
LARGEST_BULK = 500

_PAGE = 500


@dataclass(frozen=True)
class Plan:
    """The steps from a snapshot to its document, and what they will cost.

    `kept` says in a line each what was edited by somebody else and stays;
    `gone` are items that carry keys of ours which the document does not name, and
    `pruned` those of them that the policy marks, moves or trashes; `spared` says
    which a guard kept from it.
    """

    document: Document
    snapshot: Snapshot
    creates: tuple[Create, ...] = ()
    updates: tuple[Update, ...] = ()
    moves: tuple[Move, ...] = ()
    reorders: tuple[Reorder, ...] = ()
    kept: tuple[str, ...] = ()
    kept_fields: frozenset[tuple[ItemId, FieldId]] = frozenset()
    associates: tuple[Associate, ...] = ()
    dissociates: tuple[Dissociate, ...] = ()
    attaches: tuple[Attach, ...] = ()
    discards: tuple[Discard, ...] = ()
    gone: tuple[Found, ...] = ()
    pruned: frozenset[ItemId] = frozenset()
    spared: tuple[str, ...] = ()
    unchanged: int = 0

    @property
    def is_skeleton(self) -> bool:
        """Whether it is about a tree of items, not about fields of some."""
        return isinstance(self.document, Skeleton)

    @property
    def top_after(self) -> list[Spot]:
        """The items at the tracker's top as they should stand afterwards."""
        return stand_after(self, None)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write: no lock is needed then."""
        return next(self.steps, None) is None

    @property
    def counts(self) -> dict[str, int]:
        """How many things each word applies to; an item may count twice."""
        return {
            "created": len(self.creates),
            "updated": len(self.updates),
            "moved": len(self.moves),
            "reordered": len(self.reorders),
            "associated": len(self.associates),
            "dissociated": len(self.dissociates),
            "attached": len(self.attaches),
            "unchanged": self.unchanged,
            "kept": len(self.kept),
            "gone": len(self.gone),
            "pruned": len(self.pruned),
        }

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the plan leaves alone although the document says otherwise."""
        return (
            *(f"kept: {line}" for line in self.kept),
            *(
                f"not in the document any more: {found.key} (item {found.item_id})"
                for found in self.gone
                if found.item_id not in self.pruned
            ),
            *self.spared,
        )

    @property
    def waves(self) -> tuple[int, ...]:
        """How many items each wave of updates changes.

        The first writes everything; a status that takes several steps needs a
        further one for each.
        """
        longest = max((update.stages for update in self.updates), default=0)
        return tuple(
            sum(update.stages > stage for update in self.updates)
            for stage in range(longest)
        )

    @property
    def requests(self) -> int:
        """Requests that applying and verifying need; an empty plan needs none."""
        if self.is_empty:
            return 0
        pages = ceil((len(self.snapshot.items) + len(self.creates)) / _PAGE)
        written = len(self.creates) + len(self.updates) + 2 * len(self.moves)
        # What was written and what stands above it, or everything if that is less.
        near = ceil((2 * written + len(self.reorders)) / _PAGE) + 1
        return (
            1  # has anything changed since the plan was made?
            + len(self.creates)
            + sum(bulks(count) for count in self.waves)
            + len(self.moves)
            + len(self.reorders)
            + len(self.associates)
            + len(self.dissociates)
            # Files are sent, their items looked at before and after.
            + len(self.attaches)
            + len({step.item_id for step in self.attaches if step.number is not None})
            + len({step.item_id for step in self.attaches})
            # Relations are looked at under the lock, and read back.
            + 2 * ceil(self._with_associations / _PAGE)
            + len(self.discards)
            + bool(self.discards)
            + max(1, min(pages, near))
        )

    @property
    def costs(self) -> tuple[str, ...]:
        """What is read besides items, in a sentence each; it costs requests."""
        said = []
        if count := self._with_associations:
            there = sum(map(len, self.snapshot.associations.values()))
            said.append(
                f"{count} items name their associations: each look at them takes "
                f"{ceil(count / _PAGE)} requests, the first one {there} more for their "
                "types and authors"
            )
        if files := len(self.snapshot.attachments):
            said.append(
                f"{files} items name attachments: a look at them takes as many requests"
            )
        return tuple(said)

    @property
    def _with_associations(self) -> int:
        """How many items name their associations."""
        wishes = self.snapshot.wishes.wishes
        return sum(wish.associations is not None for wish in wishes)

    def seconds(
        self, requests_per_second: float | None, requests_per_minute: float | None
    ) -> float:
        """Estimate how long the requests take at a given pace, None: no limit.

        Not promised: what the server itself needs to answer.
        """
        return pause(self.requests, requests_per_second, requests_per_minute)

    @property
    def digest(self) -> str:
        """A name for these very steps; the same plan has it on every machine."""
        digest = hashlib.sha256()
        for step in self.steps:
            digest.update(json.dumps(step.to_json(), sort_keys=True).encode() + b"\n")
        return "sha256:" + digest.hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON would have it."""
        return {
            "tracker_id": self.snapshot.tracker_id,
            "owner": self.document.owner,
            "digest": self.digest,
            "is_empty": self.is_empty,
            "counts": self.counts,
            "requests": self.requests,
            "steps": [step.to_json() for step in self.steps],
            "kept": list(self.kept),
            "gone": [
                {"item": found.item_id, "key": found.key, "name": found.name}
                for found in self.gone
            ],
        }

    def text(self, limit: int = 20) -> str:
        """Return the plan as people read it, at most `limit` lines of each kind."""
        return as_text(self, limit)

    def markdown(self, limit: int = 100) -> str:
        """Return the plan as Markdown, at most `limit` lines of each kind."""
        return as_markdown(self, limit)

    @property
    def steps(self) -> Iterator[Step]:
        """Every step, in the order in which it is done."""
        yield from self.creates
        yield from self.updates
        yield from self.moves
        yield from self.reorders
        yield from self.associates
        yield from self.dissociates
        yield from self.attaches
        yield from self.discards


def pause(
    requests: int,
    requests_per_second: float | None,
    requests_per_minute: float | None,
) -> float:
    """Return how many seconds so many requests take at a given pace."""
    waits = [0.0]
    if requests_per_second:
        waits.append(requests / requests_per_second)
    if requests_per_minute:
        waits.append((requests - requests_per_minute) * 60 / requests_per_minute)
    return max(waits)


def bulks(items: int) -> int:
    """Return how many bulk updates change so many items, if nothing goes wrong."""
    size, count = BULK, 0
    while items > 0:
        items -= size
        size = min(2 * size, LARGEST_BULK)
        count += 1
    return count


def stand_after(plan: Plan, parent: Spot | None) -> list[Spot]:
    """Return the siblings below a parent as a plan leaves them."""
    now: list[Spot] = []
    if parent is None or isinstance(parent, int):
        now += plan.snapshot.children.get(parent, ())
    for create in plan.creates:
        if create.parent == parent:
            at = len(now)
            if create.reference in now and create.position is not None:
                at = now.index(create.reference) + (create.position == "AFTER")
            now.insert(at, create.key)
    for move in plan.moves:
        if move.source == parent:
            now.remove(move.item_id)
        if move.target == parent:
            now.insert(move.index, move.item_id)
    for step in plan.reorders:
        if step.parent == parent:
            now = list(step.after)
    return now
