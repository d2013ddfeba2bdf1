"""The form of an on-demand run: what a person may say of it, and how tasks read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow.sdk import Param

from airflow_codebeamer.spans import span, written

__all__ = ["Form"]


@dataclass(frozen=True)
class Form:
    """What the fields of the form begin with, in the order in which it shows them."""

    tracker_id: int | None
    generator: str | Callable[..., Any]
    arguments: Mapping[str, Any] | None
    reason: str
    wait_for: timedelta | None
    priority: int
    skip_if_locked: bool

    def params(self) -> dict[str, Param]:
        """Return the fields."""
        form = {"tracker_id": self._tracker()}
        if not callable(self.generator):
            form["generator"] = Param(
                self.generator,
                type="string",
                minLength=1,
                title="Generator",
                description='"package.module:function", or the name of an entry point.',
            )
        form["arguments"] = Param(
            dict(self.arguments or {}),
            type="object",
            title="Arguments",
            description="What the generator is given, one JSON object.",
        )
        form["reason"] = Param(
            self.reason,
            type=["string", "null"],
            maxLength=500,
            title="Reason",
            description="Shown to everybody who meets the lock.",
        )
        return {**form, **self._queue()}

    def _tracker(self) -> Param:
        # Not required by the form: for a Param without a default `dag.test()` of a
        # run that fails ends in an error. The plan task refuses a missing tracker.
        return Param(
            self.tracker_id,
            type=["integer", "null"],
            minimum=1,
            title="Tracker",
            description="Number of the tracker to fill; it is locked meanwhile.",
        )

    def _queue(self) -> dict[str, Param]:
        return {
            "priority": Param(
                self.priority,
                type="integer",
                title="Priority",
                description="Of those that wait, the higher one gets the tracker "
                "first. Each point makes up for five minutes (setting `ageing`) that "
                "another has waited longer.",
            ),
            "wait_for": Param(
                _typed(self.wait_for),
                type=["string", "null"],
                title="Wait for",
                description="How long to wait if somebody else has the tracker, like "
                "90s, 30m, 2h; empty does not wait.",
            ),
            "skip_if_locked": Param(
                self.skip_if_locked,
                type="boolean",
                title="Skip if locked",
                description="Skip the run, instead of failing it, if somebody else "
                "still has the tracker then.",
            ),
        }

    @property
    def templates(self) -> dict[str, str]:
        """What a lock task is told: the answers, read when it runs."""
        return {
            "reason": "{{ params.reason }}",
            "priority": "{{ params.priority }}",
            "wait_for": "{{ params.wait_for or '' }}",
            "skip_if_locked": "{{ params.skip_if_locked }}",
        }


def _typed(wait_for: timedelta | None) -> str | None:
    """Return a span as a person would type it; none of it is lost."""
    if not wait_for:
        return None
    short = written(wait_for.total_seconds())
    is_whole = span(short, option="wait_for") == wait_for
    return short if is_whole else f"{wait_for.total_seconds()}s"
