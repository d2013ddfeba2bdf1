"""`python -m tests.airflow.matrix [ROW ...] [--write]`."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from airflow_codebeamer.demo.stage import ended_by_signals
from tests.airflow.matrix.page import write
from tests.airflow.matrix.play import play_all
from tests.airflow.matrix.row import Outcome
from tests.airflow.matrix.site import Site
from tests.airflow.matrix.table import ROWS


def main() -> int:
    """Play the rows; 1 if any has a finding."""
    parser = argparse.ArgumentParser(prog="python -m tests.airflow.matrix")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="numbers; all if none")
    parser.add_argument("--write", action="store_true", help="write the docs page")
    parser.add_argument("--keep", action="store_true", help="keep the folder of logs")
    parser.add_argument("--at-once", type=int, default=4, metavar="N")
    told = parser.parse_args()
    unknown = set(told.rows) - {row.number for row in ROWS}
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    rows = [row for row in ROWS if not told.rows or row.number in told.rows]
    folder = Path(tempfile.mkdtemp(prefix="matrix-"))
    began = time.monotonic()
    with ended_by_signals(), Site(folder, rows) as site:
        say(f"up after {time.monotonic() - began:.0f} s, {len(rows)} rows; {folder}")
        outcomes = play_all(site, rows, at_once=told.at_once, done=show)
    if told.write:
        write(outcomes, ROWS)
    found = [one for one in outcomes if one.findings]
    say(
        f"{len(outcomes) - len(found)} of {len(outcomes)} rows as they must be, "
        f"{time.monotonic() - began:.0f} s"
    )
    if not told.keep and not found:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if found else 0


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


if __name__ == "__main__":
    sys.exit(main())
