"""What `plan` and `apply` are about: a document, a generator, or values to set."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.generator import RunSummary, What
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Lock
from airflow_codebeamer.skeleton import (
    Plan,
    PlanSet,
    field_update,
    load_documents,
    resolve_target,
)
from airflow_codebeamer.wiring import Codebeamer

__all__ = [
    "Arguments",
    "DocumentPath",
    "Generator",
    "SetOption",
    "Source",
    "TrackerOption",
    "WhereOption",
    "Work",
    "find_source",
]

DocumentPath = Annotated[
    Path | None,
    typer.Argument(help="A document, YAML or JSON; or several, for a tracker each."),
]
Generator = Annotated[
    str, typer.Option(help="Instead of a document: package.module:name.")
]
Arguments = Annotated[
    list[str] | None,
    typer.Option("--arg", help="An argument of the generator: name=value, repeatable."),
]
TrackerOption = Annotated[
    int | None, typer.Option(min=1, help="The tracker, for a generator or --set.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Instead of a document: a field of all items, name=value, repeatable.",
    ),
]
WhereOption = Annotated[
    str | None, typer.Option(help="With --set: only items that this cbQL finds.")
]


@dataclass(frozen=True)
class Source:
    """What to apply, and to which tracker; a set of documents says it itself."""

    what: What
    tracker_id: TrackerId | None
    name: str
    args: dict[str, Any] = field(default_factory=dict)

    def prepare(self, codebeamer: Codebeamer) -> Work:
        """Describe and plan; a program that writes by itself has no plan.

        Raises:
            CodebeamerError: as `Runner.plan`.
        """
        runner = codebeamer.runner
        if self.tracker_id is not None and runner.writes_itself(self.what):
            return Work(self.what, None, [self.tracker_id], self.args)
        context = self.tracker_id or TrackerId(0)
        found = runner.describe_all(self.what, self.args, context, dry_run=True)
        if len(found) == 1 and self.tracker_id is not None:
            _, plan = runner.plan(found[0], {}, self.tracker_id)
            return Work(found[0], plan, [self.tracker_id])
        plans = runner.plan_all(found, {}, context)
        return Work(found, plans, plans.targets.tracker_ids)


@dataclass(frozen=True)
class Work:
    """What is to be done in which trackers, and how it is planned."""

    what: What
    planned: Plan | PlanSet | None
    tracker_ids: list[TrackerId]
    args: dict[str, Any] = field(default_factory=dict)

    def apply(
        self, codebeamer: Codebeamer, locks: Sequence[Lock], run_key: str
    ) -> RunSummary:
        """Do it under these locks.

        Raises:
            CodebeamerError: as `Runner.apply`.
        """
        runner, planned = codebeamer.runner, self.planned
        if isinstance(planned, PlanSet):
            return runner.apply_all(
                self.what, {}, locks, run_key=run_key, planned=planned
            )
        (lock,) = locks
        return runner.apply(
            self.what,
            self.args,
            lock.tracker_id,
            lock,
            run_key=run_key,
            planned=planned,
        )


def find_source(
    codebeamer: Codebeamer,
    document: Path | None,
    generator: str,
    args: list[str] | None,
    tracker: int | None,
    values: list[str] | None,
    where: str | None,
) -> Source:
    """Return the one of the three that was given.

    Raises:
        ConfigurationError: none or several were, or a part of one is missing.
        DocumentError: the document is none.
    """
    if sum((document is not None, bool(generator), bool(values))) != 1:
        raise ConfigurationError(
            "DOCUMENT", "give either a document, or a --generator, or --set"
        )
    if args and not generator:
        raise ConfigurationError("--arg", "only a --generator takes arguments")
    if where is not None and not values:
        raise ConfigurationError("--where", "only --set takes a filter")
    if document is not None:
        read = load_documents(document)
        if len(read) > 1:
            if tracker is not None:
                raise ConfigurationError(
                    "--tracker", "several documents name their trackers themselves"
                )
            return Source(read, None, document.name)
        if tracker is None:
            tracker = resolve_target(codebeamer.client, read[0])
        return Source(read[0], TrackerId(tracker), document.name)
    if tracker is None:
        raise ConfigurationError("--tracker", "say which tracker it is about")
    tracker_id = TrackerId(tracker)
    if values:
        found = _pairs("--set", values)
        name = f"--set {', '.join(found)}"
        return Source(field_update(tracker_id, found, where=where), tracker_id, name)
    # An installed command does not look for modules where it is called.
    sys.path.append(str(Path.cwd()))
    return Source(generator, tracker_id, generator, _pairs("--arg", args or []))


def _pairs(option: str, texts: list[str]) -> dict[str, Any]:
    """Return `name=value` pairs; a value that is JSON is read as such."""
    found: dict[str, Any] = {}
    for given in texts:
        name, equals, text = given.partition("=")
        if not equals or not name:
            raise ConfigurationError(option, f"write name=value, not {given!r}")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found
