"""What the command line of a matrix does, whatever its site and its rows."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from airflow_codebeamer.demo.stage import ended_by_signals
from tests.airflow.matrix.play import play_all
from tests.airflow.matrix.row import Outcome, Row
from tests.airflow.matrix.site import Site

__all__ = ["list_left", "main"]


def main(
    program: str,
    all_rows: Sequence[Row],
    site_of: Callable[[Path, Sequence[Row]], Site],
    write: Callable[[Sequence[Outcome]], None],
) -> int:
    """Play the rows that the command line names; 1 if any has a finding."""
    parser = argparse.ArgumentParser(prog=program)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="numbers; all if none")
    parser.add_argument("--write", action="store_true", help="write the docs page")
    parser.add_argument("--keep", action="store_true", help="keep the folder of logs")
    parser.add_argument("--at-once", type=int, default=4, metavar="N")
    parser.add_argument(
        "--away", type=float, default=20.0, help="seconds of an outage (rows 60 to 67)"
    )
    told = parser.parse_args()
    unknown = set(told.rows) - {row.number for row in all_rows}
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    rows = [row for row in all_rows if not told.rows or row.number in told.rows]
    folder = Path(tempfile.mkdtemp(prefix="matrix-"))
    began = time.monotonic()
    writing = threading.Lock()

    def over(outcome: Outcome) -> None:
        show(outcome)
        if told.write:
            # At once, so that whoever ends a long matrix keeps what he has.
            with writing:
                write([outcome])

    site = site_of(folder, rows)
    site.away_seconds = told.away
    with ended_by_signals(), site:
        say(f"up after {time.monotonic() - began:.0f} s, {len(rows)} rows; {folder}")
        outcomes = play_all(site, rows, at_once=told.at_once, done=over)
        databases = [
            *site.store_server.list_pids(),
            *site.airflow_server.list_pids(),
        ]
    left = list_left(folder, databases)
    found = [one for one in outcomes if one.findings]
    say(
        f"{len(outcomes) - len(found)} of {len(outcomes)} rows as they must be, "
        f"{time.monotonic() - began:.0f} s; {len(left)} processes left"
    )
    for line in left:
        say(f"       LEFT: {line}")
    if not told.keep and not found:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if found or left else 0


def list_left(folder: Path, pids: Collection[int] = ()) -> list[str]:
    """Return what still runs in the folder, or of these: nothing should."""
    left = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            is_ours = Path(process.cwd()).is_relative_to(folder) or process.pid in pids
            if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                left.append(f"{process.pid} {' '.join(process.cmdline())[:120]}")
    return left


def show(outcome: Outcome) -> None:
    """Print a row as soon as it is over."""
    seconds = "-" if outcome.seconds is None else f"{outcome.seconds:.1f} s"
    say(
        f"{outcome.row.number:>4} {outcome.row.failure}: {seconds}; "
        f"{', '.join(outcome.layers) or 'nobody'}; run {outcome.run}; "
        f"items {outcome.items}; permissions {outcome.permissions} "
        f"({outcome.took_seconds:.0f} s)"
    )
    for note in outcome.notes:
        say(f"       note: {note}")
    for finding in outcome.findings:
        say(f"       FINDING: {finding}; tasks {dict(outcome.tasks)}")


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201
