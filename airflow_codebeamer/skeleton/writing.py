"""What every part of an application shares: the way out, the notes, new numbers."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from airflow_codebeamer.client import Client
from airflow_codebeamer.ids import ItemId, TrackerId
from airflow_codebeamer.journal import JSON, Journal
from airflow_codebeamer.models import Item
from airflow_codebeamer.skeleton.crew import Crew
from airflow_codebeamer.skeleton.look import list_tracker_items
from airflow_codebeamer.skeleton.plan import Plan
from airflow_codebeamer.skeleton.steps import Spot, Step

__all__ = ["Notes", "Progress", "Writing"]

_BATCH = 50


@dataclass(frozen=True)
class Progress:
    """How far a phase is; it has the name of its steps: create, update and so on."""

    phase: str
    done: int
    total: int


class Notes:
    """Outcomes on their way to the journal, and progress to whoever listens.

    `numbers` are those of the journal's entries: the header's, and one for each
    step of the plan in its order.
    """

    def __init__(
        self,
        journal: Journal,
        numbers: Sequence[int],
        steps: Sequence[Step],
        progress: Callable[[Progress], None],
    ) -> None:
        self._journal = journal
        self._header = numbers[0]
        self._numbers = {
            id(step): number for step, number in zip(steps, numbers[1:], strict=True)
        }
        self._totals = Counter(step.word for step in steps)
        self._progress = progress
        self._door = threading.Lock()
        self._waiting: list[tuple[int, JSON]] = []
        self._done: Counter[str] = Counter()

    def note(self, steps: Iterable[Step], outcome: JSON) -> None:
        """Write down what became of steps of one kind."""
        with self._door:
            for step in steps:
                self._waiting.append((self._numbers[id(step)], outcome))
                self._done[step.word] += 1
            word = step.word
            if len(self._waiting) >= _BATCH:
                self._flush()
            self._progress(Progress(word, self._done[word], self._totals[word]))

    def close_header(self) -> None:
        """Write down that everything was done."""
        with self._door:
            self._waiting.append((self._header, {}))

    def flush(self) -> None:
        """Hand over what waits."""
        with self._door:
            self._flush()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._journal.finish_many(waiting)


@dataclass(frozen=True)
class Writing:
    """One application of one plan; `created` fills while items are made."""

    plan: Plan
    client: Client
    crew: Crew
    notes: Notes
    created: dict[str, ItemId] = field(default_factory=dict)

    @property
    def tracker_id(self) -> TrackerId:
        """The tracker that is written to."""
        return self.plan.snapshot.tracker_id

    def items(self) -> list[Item]:
        """Return every item of the tracker as it is now."""
        return list_tracker_items(self.client, self.tracker_id)

    def number(self, spot: Spot | None) -> ItemId | None:
        """Return the number of an item, None for the top."""
        return self.created[spot] if isinstance(spot, str) else spot

    def numbers(self, spots: Iterable[Spot]) -> list[ItemId]:
        """Return the numbers of items."""
        return [self.created[s] if isinstance(s, str) else s for s in spots]
