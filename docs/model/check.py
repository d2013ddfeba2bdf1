"""Run spin on the lock's protocol: the clean configurations and the seeded faults.

`--quick` runs one configuration (for `make check`), no option runs all of the table,
`--write` also puts the figures into `docs/explanation/model.md`. Needs spin and a C
compiler; without them it says so and ends well, because the protocol is checked here
and the code elsewhere.
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

HERE = Path(__file__).parent
MODEL = HERE / "lock.pml"
MEASURED = HERE / "measured.json"
PAGE = HERE.parent / "explanation" / "model.md"

_STATES = re.compile(r"^\s*([\d.e+]+) states, stored", re.MULTILINE)
_ERRORS = re.compile(r"errors: (\d+)")
_SEARCH = ["-DCOLLAPSE", "-DVECTORSZ=2048", "-DMEMLIM=16000"]


@dataclass(frozen=True)
class Configuration:
    """One search: what may happen, and whether an error has to be found."""

    name: str
    what: str
    defines: Sequence[str]
    seeded: bool = False
    cycles: bool = False
    is_big: bool = False


@dataclass(frozen=True)
class Result:
    """What a search found; `states` is the number of different ones it stored."""

    name: str
    states: int
    errors: int


def _happens(**counts: int) -> list[str]:
    given = {"RUNS": 1, "CRASHES": 0, "EXPIRIES": 0, "SILENT": 0, "EDITS": 0, **counts}
    return [f"{name}={count}" for name, count in given.items()]


QUICK = Configuration(
    "quick",
    "1 run; 1 crash, 1 lease that runs out under a living holder, 1 lost answer",
    _happens(CRASHES=1, EXPIRIES=1, SILENT=1),
)

CLEAN = (
    QUICK,
    Configuration(
        "edit-and-crash",
        "1 run; 1 crash, 1 lost answer, 1 edit by the administrator",
        _happens(CRASHES=1, SILENT=1, EDITS=1),
    ),
    Configuration(
        "edit-and-expiry",
        "1 run; 1 lease that runs out, 1 lost answer, 1 edit",
        _happens(EXPIRIES=1, SILENT=1, EDITS=1),
    ),
    Configuration(
        "two-runs",
        "2 runs; 1 crash, 1 edit",
        _happens(RUNS=2, CRASHES=1, EDITS=1),
    ),
    Configuration(
        "three-runs",
        "3 runs; 2 crashes, 1 lease that runs out",
        _happens(RUNS=3, CRASHES=2, EXPIRIES=1),
        is_big=True,
    ),
    Configuration(
        "break",
        "1 run; 1 crash, 1 lease that runs out, 1 break by an operator, 1 lost answer",
        _happens(CRASHES=1, EXPIRIES=1, SILENT=1, BREAKS=1),
    ),
    Configuration(
        "retry-beside",
        "2 tries of one owner beside each other; 1 crash, 1 lost answer",
        [*_happens(RUNS=1, CRASHES=1, SILENT=1, TRIES=1), "SAME"],
    ),
    Configuration(
        "everything",
        "1 run; 1 crash, 1 lease that runs out, 1 lost answer, 1 edit, 1 break",
        _happens(CRASHES=1, EXPIRIES=1, SILENT=1, EDITS=1, BREAKS=1),
        is_big=True,
    ),
    Configuration(
        "everything-twice",
        "2 runs; 1 crash, 1 lease that runs out, 1 edit",
        _happens(RUNS=2, CRASHES=1, EXPIRIES=1, EDITS=1),
        is_big=True,
    ),
    Configuration(
        "late",
        "1 run; the lock delay does not hold; 1 crash, 1 lease that runs out, "
        "1 lost answer: permissions only",
        [*_happens(CRASHES=1, EXPIRIES=1, SILENT=1), "LATE", "NOEXCL"],
    ),
    Configuration(
        "late-and-edit",
        "1 run; the lock delay does not hold; 1 crash, 1 lost answer, 1 edit: "
        "permissions only",
        [*_happens(CRASHES=1, SILENT=1, EDITS=1), "LATE", "NOEXCL"],
    ),
    Configuration(
        "late-and-next",
        "2 runs; the lock delay does not hold; 1 crash, 1 lost answer, 1 edit: "
        "permissions only",
        [*_happens(RUNS=2, CRASHES=1, SILENT=1, EDITS=1), "LATE", "NOEXCL"],
    ),
    Configuration(
        "no-idle-cycle",
        "1 run; 1 crash, 1 lost answer: no cycle without progress",
        _happens(CRASHES=1, SILENT=1),
        cycles=True,
    ),
)

SEEDED = (
    Configuration(
        "late-exclusivity",
        "the lock delay does not hold, and exclusivity is asked for all the same",
        [*_happens(RUNS=2, CRASHES=1, EXPIRIES=1), "LATE"],
        seeded=True,
    ),
    Configuration(
        "no-scrub",
        "the lock delay does not hold, and nobody looks for late requests",
        [*_happens(CRASHES=1), "LATE", "NOEXCL", "NOSCRUB"],
        seeded=True,
    ),
    *(
        Configuration(bug.lower(), what, [*defines, f"BUG_{bug}"], seeded=True)
        for bug, what, defines in (
            (
                "REQUEST_FIRST",
                "the request leaves before its intent is committed",
                _happens(CRASHES=1),
            ),
            (
                "NO_FENCE",
                "nobody asks whether the lock is still his",
                _happens(RUNS=2, EXPIRIES=1),
            ),
            (
                "BREAK_FREES",
                "a break frees the record and leaves the permissions",
                _happens(BREAKS=1),
            ),
            (
                "NO_LOCK_DELAY",
                "a lock is taken over while requests of its holder are under way",
                _happens(RUNS=2, EXPIRIES=1),
            ),
            (
                "NO_AMENDMENT",
                "what an administrator grants while a role is reduced is not kept",
                _happens(CRASHES=1, SILENT=1, EDITS=1),
            ),
            (
                "MOVING_BASE",
                "the base of the merge is the value that was sent last",
                _happens(SILENT=1, EDITS=1),
            ),
            (
                "TRUSTS_SILENCE",
                "a request without an answer is taken for done",
                _happens(SILENT=1),
            ),
            (
                "NEW_SNAPSHOT",
                "who goes on with a half-taken lock writes new originals down",
                _happens(CRASHES=1),
            ),
            (
                "BLIND_RESTORE",
                "the originals are put back without a merge",
                _happens(EDITS=1),
            ),
            (
                "FREE_FIRST",
                "the record is freed before the restore",
                _happens(CRASHES=1),
            ),
            (
                "HOLDS_UNFENCED",
                "the lock is called held without asking whose it is",
                _happens(RUNS=2, EXPIRIES=1),
            ),
            (
                "NO_DRAIN",
                "the tracker is freed while a request may still land",
                [*_happens(SILENT=1), "NOSCRUB"],
            ),
            (
                "WHOLE_ECHO_ONLY",
                "a late request is not put right where somebody took more on top",
                _happens(CRASHES=1, SILENT=1, EDITS=1),
            ),
            (
                "FORGETS_OLD_REQUESTS",
                "a new lock forgets the unanswered requests of the one before",
                [*_happens(RUNS=2, CRASHES=1), "LATE", "NOEXCL"],
            ),
        )
    ),
)


def is_possible() -> bool:
    """Return whether spin and a compiler are there."""
    return bool(shutil.which("spin") and shutil.which("cc"))


def search(configuration: Configuration) -> Result:
    """Search every state of a configuration; stops at the first error.

    Raises:
        RuntimeError: the search did not end, so it says nothing.
    """
    with tempfile.TemporaryDirectory() as place:
        shutil.copy(MODEL, place)
        defines = [f"-D{define}" for define in configuration.defines]
        _run(["spin", "-a", *defines, MODEL.name], place)
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
    done = subprocess.run(  # noqa: S603 -- our own model, our own arguments
        command, cwd=place, capture_output=True, text=True, check=False
    )
    if done.returncode != 0 and command[0] != "./pan":
        raise RuntimeError(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def is_as_expected(configuration: Configuration, result: Result) -> bool:
    """Return whether a seeded fault was found, or a clean one is clean."""
    return bool(result.errors) is configuration.seeded


def table(results: Iterable[Result]) -> str:
    """Return the page's part that the figures make."""
    found = {result.name: result for result in results}
    lines = ["| configuration | states | result |", "| --- | --- | --- |"]
    for configuration in CLEAN:
        result = found[configuration.name]
        lines.append(f"| {configuration.what} | {result.states:,} | no error |")
    lines += ["", "| seeded fault | states until found |", "| --- | --- |"]
    for configuration in SEEDED:
        result = found[configuration.name]
        lines.append(f"| {configuration.what} | {result.states:,} |")
    return "\n".join(lines)


def page(results: Iterable[Result]) -> str:
    """Return the whole page, its prose as it stands and its tables from the figures."""
    head, _, rest = PAGE.read_text().partition("<!-- figures -->")
    tail = rest.partition("<!-- end of figures -->")[2]
    return (
        f"{head}<!-- figures -->\n\n{table(results)}\n\n<!-- end of figures -->{tail}"
    )


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
    chosen = (QUICK,) if options.quick else (*CLEAN, *SEEDED)
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
    if options.write and not bad and not options.only:
        MEASURED.write_text(json.dumps([asdict(r) for r in results], indent=1) + "\n")
        PAGE.write_text(page(results))
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
