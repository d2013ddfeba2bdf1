"""Run spin on the lock's protocol and its queue: clean configurations, seeded faults.

`--quick` runs one configuration of each (for `make check`), no option runs all of the
tables, `--only` some of them, `--write` also puts the figures into
`docs/explanation/model.md`. Needs spin and a C compiler; without them it says so and
ends well, because the protocol is checked here and the code elsewhere.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.model.configurations import (
    CLEAN,
    QUEUE,
    QUEUE_SEEDED,
    QUICK,
    QUICK_QUEUE,
    SEEDED,
    Configuration,
)

DOCS = Path(__file__).parents[2] / "docs"
MODELS = DOCS / "model"
ALL = (*CLEAN, *SEEDED, *QUEUE, *QUEUE_SEEDED)
MEASURED = DOCS / "model" / "measured.json"
PAGE = DOCS / "explanation" / "model.md"

_STATES = re.compile(r"^\s*([\d.e+]+) states, stored", re.MULTILINE)
_ERRORS = re.compile(r"errors: (\d+)")
_SEARCH = ["-DCOLLAPSE", "-DVECTORSZ=2048", "-DMEMLIM=16000"]


@dataclass(frozen=True)
class Result:
    """What a search found; `states` is the number of different ones it stored."""

    name: str
    states: int
    errors: int


def is_possible() -> bool:
    """Return whether spin and a compiler are there."""
    return bool(shutil.which("spin") and shutil.which("cc"))


def search(configuration: Configuration) -> Result:
    """Search every state of a configuration; stops at the first error.

    Raises:
        RuntimeError: the search did not end, so it says nothing.
    """
    with tempfile.TemporaryDirectory() as place:
        model = MODELS / f"{configuration.model}.pml"
        shutil.copy(model, place)
        defines = [f"-D{define}" for define in configuration.defines]
        _run(["spin", "-a", *defines, model.name], place)
        kind = "-DNP" if configuration.cycles else "-DSAFETY"
        _run(["cc", "-O2", "-w", kind, *_SEARCH, "-o", "pan", "pan.c"], place)
        cycles = ["-l"] if configuration.cycles else []
        said = _run(["./pan", *cycles, "-m500000"], place)
    states, errors = _STATES.search(said), _ERRORS.search(said)
    if states is None or errors is None or "max search depth" in said:
        raise RuntimeError(f"{configuration.name}: the search did not end\n{said}")
    if "out of memory" in said or "memory limit" in said:
        raise RuntimeError(f"{configuration.name}: not enough memory\n{said}")
    return Result(configuration.name, int(float(states[1])), int(errors[1]))


def _run(command: list[str], place: str) -> str:
    done = subprocess.run(
        command, cwd=place, capture_output=True, text=True, check=False
    )
    if done.returncode != 0 and command[0] != "./pan":
        raise RuntimeError(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def is_as_expected(configuration: Configuration, result: Result) -> bool:
    """Return whether a seeded fault was found, or a clean one is clean."""
    return bool(result.errors) is configuration.seeded


def table(
    results: Iterable[Result],
    clean: Sequence[Configuration] = CLEAN,
    seeded: Sequence[Configuration] = SEEDED,
) -> str:
    """Return a part of the page that the figures make."""
    found = {result.name: result for result in results}
    clean = [one for one in clean if one.name in found]
    seeded = [one for one in seeded if one.name in found]
    lines = ["| configuration | states | result |", "| --- | --- | --- |"]
    for configuration in clean:
        result = found[configuration.name]
        lines.append(f"| {configuration.what} | {result.states:,} | no error |")
    lines += ["", "| seeded fault | states until found |", "| --- | --- |"]
    for configuration in seeded:
        result = found[configuration.name]
        lines.append(f"| {configuration.what} | {result.states:,} |")
    return "\n".join(lines)


def page(results: Iterable[Result]) -> str:
    """Return the whole page, its prose as it stands and its tables from the figures."""
    text = PAGE.read_text()
    kept = list(results)
    for mark, figures in (
        ("figures", table(kept)),
        ("figures of the queue", table(kept, QUEUE, QUEUE_SEEDED)),
    ):
        head, _, rest = text.partition(f"<!-- {mark} -->")
        tail = rest.partition(f"<!-- end of {mark} -->")[2]
        text = f"{head}<!-- {mark} -->\n\n{figures}\n\n<!-- end of {mark} -->{tail}"
    return text


def merged(results: Iterable[Result]) -> list[Result]:
    """Return these results, and what was measured before of all the others."""
    kept = [Result(**one) for one in json.loads(MEASURED.read_text())]
    known = {result.name: result for result in (*kept, *results)}
    return [known[one.name] for one in ALL if one.name in known]


def main(arguments: Sequence[str] | None = None) -> int:
    """Search, print, and return 1 if something is not as expected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    options = parser.parse_args(arguments)
    if not is_possible():
        sys.stdout.write("spin or a C compiler is not installed: model not checked\n")
        return 0
    chosen = (QUICK, QUICK_QUEUE) if options.quick else ALL
    if options.only:
        chosen = tuple(one for one in chosen if one.name in options.only)
    results, bad = [], 0
    for configuration in chosen:
        result = search(configuration)
        results.append(result)
        is_good = is_as_expected(configuration, result)
        bad += not is_good
        word = "as expected" if is_good else "NOT as expected"
        sys.stdout.write(
            f"{configuration.name}: {result.states:,} states, "
            f"{result.errors} errors, {word}\n"
        )
        sys.stdout.flush()
    if options.write and not bad:
        results = merged(results)
        MEASURED.write_text(json.dumps([asdict(r) for r in results], indent=1) + "\n")
        PAGE.write_text(page(results))
    return 1 if bad else 0
