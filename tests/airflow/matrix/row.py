"""A row of the matrix: a failure as data, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from tests.airflow.matrix.scene import Scene

__all__ = ["AT_ONCE", "AT_THE_LATEST", "LEASE_SECONDS", "RUN_ID", "Outcome", "Row"]

#: The layers that react to the failure itself.
AT_ONCE = (
    "the task itself",
    "task callback",
    "task callback of lock",
    "teardown",
    "DAG callback",
    "task callback in the DAG processor",
    "the other holder",
)
#: Those that wait until a time is over.
AT_THE_LATEST = ("deadline", "janitor DAG", "recover, outside Airflow")

#: Every row has one run.
RUN_ID = "run"

#: The lease between two tasks, everywhere in the matrix.
LEASE_SECONDS = 40


@dataclass(frozen=True)
class Row:
    """A failure, and what must have come of it when everything is over.

    `fault` drives the scene: it starts the run, hurts it, and mends what it broke.
    A row that is `alone` hurts what other rows need. `by` names the layers that may
    be the first to give the tracker back.
    """

    number: str
    failure: str
    fault: Callable[[Scene], None]
    means: str
    items: Literal["as before", "complete", "either"] = "as before"
    run: tuple[str, ...] = ("failed",)
    limit_seconds: float = 60.0
    options: Mapping[str, Any] = field(default_factory=dict)
    generator: str = "numbered"
    alone: bool = False
    wiring: Literal["template", "own tasks"] = "template"
    since: str = "the fault"
    by: tuple[str, ...] = AT_ONCE

    @property
    def dag_id(self) -> str:
        """The id of the row's DAG."""
        return f"row_{self.number}"

    def task_id(self, name: str) -> str:
        """Return the id of a task; those around one's own tasks are in a group."""
        return name if self.wiring == "template" else f"exclusive_tracker.{name}"


@dataclass(frozen=True)
class Outcome:
    """What came of a row; `findings` is empty if all is as it must be."""

    row: Row
    seconds: float | None = None
    layers: tuple[str, ...] = ()
    run: str = ""
    tasks: Mapping[str, str] = field(default_factory=dict)
    items: str = ""
    permissions: str = ""
    took_seconds: float = 0.0
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
