"""What the demonstration shows: on a terminal, in a log file, or as one JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bars

from airflow_codebeamer.clock import Clock, SystemClock

__all__ = ["Advance", "Screen", "Step"]

_SECONDS_BETWEEN_LINES = 3.0


class Advance(Protocol):
    """Takes how much is done, and in a word what is being done."""

    def __call__(self, done: int, doing: str = "") -> None:
        """Show it, if it is time to."""


@dataclass(frozen=True)
class Step:
    """Something the demonstration showed: whether it was right, and the figures."""

    name: str
    ok: bool
    says: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the step as JSON would have it."""
        return {
            "name": self.name,
            "ok": self.ok,
            "says": self.says,
            "figures": dict(self.figures),
            "seconds": round(self.seconds, 1),
        }


class Screen:
    """Writes lines and steps as they come, and remembers the steps.

    A terminal gets colours and a moving bar; a file gets plain lines, each with
    the time of day (UTC), and a line of progress every few seconds; with
    `as_json` nothing is written until `finish` writes one document.
    """

    def __init__(
        self,
        *,
        as_json: bool = False,
        out: TextIO | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.steps: list[Step] = []
        self._as_json = as_json
        self._out = out or sys.stdout
        self._clock = clock or SystemClock()
        self._console = Console(
            file=self._out, quiet=as_json, highlight=False, soft_wrap=True
        )
        self._began: float | None = None
        self._marks = _marks_for(getattr(self._out, "encoding", None))

    @property
    def is_ok(self) -> bool:
        """Whether there was a step and every step was right."""
        return bool(self.steps) and all(step.ok for step in self.steps)

    @property
    def seconds(self) -> float:
        """Seconds since the first line."""
        if self._began is None:
            return 0.0
        return self._clock.monotonic() - self._began

    def title(self, text: str) -> None:
        """Begin a part."""
        self._write(text, style="bold")

    def say(self, text: str) -> None:
        """Write a line that proves nothing and explains something."""
        self._write(f"  {text}", style="dim")

    def step(self, name: str, ok: bool, says: str, **figures: Any) -> bool:
        """Write and remember a step; returns `ok`."""
        step = Step(name, ok, says, figures, self.seconds)
        self.steps.append(step)
        self._write(
            f"{self._marks[ok]} {name}: {says}", style="green" if ok else "bold red"
        )
        return ok

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Advance]:
        """Show how far something is while the block runs."""
        if self._console.is_terminal and not self._as_json:
            columns = (
                TextColumn("  {task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[doing]}"),
            )
            with Bars(*columns, console=self._console, transient=True) as bars:
                task = bars.add_task(what, total=total, doing="")
                yield lambda done, doing="": bars.update(
                    task, completed=done, doing=doing
                )
            return
        yield self._lines(what, total)

    def finish(self, **more: Any) -> None:
        """Write the JSON document, if that is what was asked for."""
        if self._as_json:
            document = {
                "ok": self.is_ok,
                "seconds": round(self.seconds, 1),
                "steps": [step.to_json() for step in self.steps],
                **more,
            }
            self._out.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
            self._out.flush()

    def _lines(self, what: str, total: int) -> Advance:
        last = float("-inf")

        def advance(done: int, doing: str = "") -> None:
            nonlocal last
            if self.seconds - last >= _SECONDS_BETWEEN_LINES:
                last = self.seconds
                tail = f", {doing}" if doing else ""
                self.say(f"{what}: {done} of {total}{tail}")

        return advance

    def _write(self, text: str, *, style: str) -> None:
        if self._began is None:
            self._began = self._clock.monotonic()
        if not self._console.is_terminal:
            text = f"{self._clock.now():%H:%M:%S} {text}"
        self._console.print(escape(text), style=style)
        self._out.flush()


def _marks_for(encoding: str | None) -> dict[bool, str]:
    marks = {True: "✓", False: "✗"}
    try:
        "".join(marks.values()).encode(encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return {True: "ok", False: "FAILED"}
    return marks
