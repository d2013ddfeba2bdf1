"""PlanSet: the plans of several documents that are applied and undone as one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_codebeamer.skeleton.plan import Plan, pause

if TYPE_CHECKING:
    from airflow_codebeamer.skeleton.targets import Targets

__all__ = ["PlanSet"]


@dataclass(frozen=True)
class PlanSet:
    """Plans in the order in which they are applied, and the targets they are for."""

    plans: tuple[Plan, ...]
    targets: Targets = field(repr=False, compare=False)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write in any tracker: no lock is needed."""
        return all(plan.is_empty for plan in self.plans)

    @property
    def counts(self) -> dict[str, int]:
        """How many things each word applies to, in all trackers together."""
        found: dict[str, int] = {}
        for plan in self.plans:
            for name, count in plan.counts.items():
                found[name] = found.get(name, 0) + count
        return found

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the plans leave alone, with the tracker of each."""
        return tuple(
            f"tracker {plan.snapshot.tracker_id}: {warning}"
            for plan in self.plans
            for warning in plan.warnings
        )

    @property
    def requests(self) -> int:
        """Requests that applying and verifying all of it need.

        Not promised: one more for each document that points at items which another
        is about to make.
        """
        return sum(plan.requests for plan in self.plans)

    @property
    def digest(self) -> str:
        """A name for these very steps."""
        if len(self.plans) == 1:
            return self.plans[0].digest
        digests = "\n".join(plan.digest for plan in self.plans)
        return "sha256:" + hashlib.sha256(digests.encode()).hexdigest()

    def seconds(
        self, requests_per_second: float | None, requests_per_minute: float | None
    ) -> float:
        """Estimate how long the requests take at a given pace, None: no limit."""
        return pause(self.requests, requests_per_second, requests_per_minute)

    def to_json(self) -> dict[str, Any]:
        """Return the plans as JSON would have them; one alone as itself."""
        if len(self.plans) == 1:
            return self.plans[0].to_json()
        return {
            "digest": self.digest,
            "is_empty": self.is_empty,
            "counts": self.counts,
            "requests": self.requests,
            "plans": [plan.to_json() for plan in self.plans],
        }

    def text(self, limit: int = 20) -> str:
        """Return the plans as people read them, one after the other."""
        return "\n".join(plan.text(limit) for plan in self.plans)

    def markdown(self, limit: int = 100) -> str:
        """Return the plans as Markdown, one after the other."""
        if len(self.plans) == 1:
            return self.plans[0].markdown(limit)
        return "\n".join(
            f"## Tracker {plan.snapshot.tracker_id}\n\n{plan.markdown(limit)}"
            for plan in self.plans
        )
