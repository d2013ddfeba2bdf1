"""Text or one JSON document on stdout, the rest on stderr; nothing else prints."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from airflow_codebeamer.clock import Clock, SystemClock

__all__ = ["Output", "as_json"]

_QUIET_SECONDS = 3.0


def as_json(value: Any) -> str:
    """Return a value as one JSON document; our dataclasses and times included."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable):
        return sorted(value) if isinstance(value, set | frozenset) else list(value)
    return str(value)


class Output:
    """Where a command's words go.

    `result` writes the one result to stdout, as JSON or as lines; `say` writes
    to stderr what people may want to know meanwhile.
    """

    def __init__(self, *, json: bool, clock: Clock | None = None) -> None:
        self.is_json = json
        self._clock = clock or SystemClock()
        self._errors = Console(stderr=True, highlight=False, soft_wrap=True)
        self._last_seconds = -math.inf

    def result(self, document: Any, lines: Iterable[str] = ()) -> None:
        """Write the result: the document with `--json`, else the lines."""
        if self.is_json:
            typer.echo(as_json(document))
            return
        for line in lines:
            typer.echo(line)

    def table(
        self, document: Any, columns: Sequence[str], rows: Iterable[Sequence[str]]
    ) -> None:
        """Write the result as a table; as JSON the document."""
        if self.is_json:
            typer.echo(as_json(document))
            return
        console = Console(highlight=False, markup=False)
        cells = [list(columns), *map(list, rows)]
        if not console.is_terminal:
            widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
            for row in cells:
                padded = map(str.ljust, row, widths)
                typer.echo("  ".join(padded).rstrip())
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in cells[1:]:
            table.add_row(*row)
        console.print(table)

    def say(self, line: str) -> None:
        """Write one line to stderr."""
        self._errors.print(line, markup=False, style="dim")

    def report(self, line: str, *, is_last: bool) -> None:
        """Write progress to stderr: in place on a terminal, else now and then."""
        now = self._clock.monotonic()
        if self._errors.is_terminal:
            self._errors.print(f"\r{line}\x1b[K", end="\n" if is_last else "")
        elif is_last or now - self._last_seconds >= _QUIET_SECONDS:
            self._last_seconds = now
            self._errors.print(line, markup=False)
