"""Fuzz the emulator against both descriptions; count, and write the page.

python -m tests.fuzz --requests 20000 --vendor openapi-22.10.json --write
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.descriptions import own, vendor
from tests.fuzz.firing import Fired, fire, lines
from tests.fuzz.target import target

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "fuzzing.md"


def page(runs: dict[str, Fired], seed: int) -> Iterator[str]:
    """Yield the page of the last whole run."""
    yield "<!-- Written by `make fuzz VENDOR=FILE`; not by hand. -->\n"
    yield "# Fuzzing the emulator\n\n"
    total = sum(run.requests for run in runs.values())
    yield f"The last whole run, on {datetime.date.today():%Y-%m-%d}, sent {total:,} "  # noqa: DTZ011
    yield f"generated requests (seed {seed}), half of them valid by the description "
    yield "and aimed at things that exist, half of them broken. No answer may be a "
    yield "500, have a status or a media type that is not described, or a body "
    yield "outside its schema; nothing broken may be accepted.\n\n"
    yield "| requests made from | operations | requests | answers | findings |\n"
    yield "| --- | ---: | ---: | --- | ---: |\n"
    for name, run in runs.items():
        counts = ", ".join(
            f"{status}: {count:,}" for status, count in sorted(run.statuses.items())
        )
        yield f"| {name} | {run.operations} | {run.requests:,} | {counts} "
        yield f"| {len(run.findings)} |\n"
    yield "\nThe vendor's file is cut to what the emulator claims and sharpened "
    yield "before use: its objects are closed and its families listed, as servers "
    yield "behave since 21.09; the statuses that the contract adds to it stand in "
    yield "the contract with their reasons. Times have no zone, as in the vendor's "
    yield "examples. 501 says that something is not emulated.\n"


def say(*told: str) -> None:
    """Print lines."""
    sys.stdout.writelines(f"{line}\n" for line in told)


def main() -> None:
    """Run, print, and fail if anything was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--vendor", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    runs: dict[str, Fired] = {}
    share = given.requests // 2 if given.vendor else given.requests
    with target() as server:
        runs["the emulator's own description"] = fire(
            server, own(server), at_least=share, seeded=given.seed
        )
        if given.vendor:
            runs["the vendor's description of 22.10"] = fire(
                server, vendor(given.vendor), at_least=share, seeded=given.seed
            )
        else:
            say("SKIPPED: the vendor's description; name its file: VENDOR=FILE")
    for name, run in runs.items():
        counts = json.dumps(dict(sorted(run.statuses.items())))
        say(f"{name}: {run.requests} requests, {run.operations} operations, {counts}")
        say(*lines(run))
    say(f"{sum(run.requests for run in runs.values())} requests in all")
    found = sum(len(run.findings) for run in runs.values())
    if given.write and given.vendor and not found:
        PAGE.write_text("".join(page(runs, given.seed)))
    raise SystemExit(f"{found} findings" if found else 0)


if __name__ == "__main__":
    main()
