"""`python -m tests.model.rotation`: search the model of two accounts in turn.

A second or two for each configuration; `--write` puts the figures into the page.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.model.spin import Result, is_possible

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "docs" / "model" / "rotation.pml"
MEASURED = ROOT / "docs" / "model" / "rotation.json"
PAGE = ROOT / "docs" / "howto" / "rotate-accounts.md"

_STATES = re.compile(r"^\s*([\d.e+]+) states, stored", re.MULTILINE)
_ERRORS = re.compile(r"errors: (\d+)")


@dataclass(frozen=True)
class Rule:
    """One search: which account is next, and whether a survivor gets through."""

    name: str
    what: str
    rule: str
    accounts: int
    takeovers: int
    is_broken: bool


RULES = (
    Rule("one", "one account, one take-over", "PARITY", 1, 1, True),
    Rule("epochs", "two, by the epoch that a restore raises", "RESTORE", 2, 1, True),
    Rule("ours", "two, as here; one take-over, clean locks too", "STALE", 2, 1, False),
    Rule("twice", "two, as here; two take-overs", "STALE", 2, 2, True),
    Rule("three", "three, as here; two take-overs", "STALE", 3, 2, False),
    Rule("proven", "two, reused when proven dead", "PROVEN", 2, 3, False),
)


def search(rule: Rule) -> Result:
    """Search every state of a rule; stops at the first error.

    Raises:
        RuntimeError: spin or the compiler failed.
    """
    defines = {
        "RULE": rule.rule,
        "ACCOUNTS": rule.accounts,
        "HOLDERS": 5,
        "TAKEOVERS": rule.takeovers,
    }
    with tempfile.TemporaryDirectory() as place:
        shutil.copy(MODEL, place)
        given = [f"-D{name}={value}" for name, value in defines.items()]
        _run(["spin", "-a", *given, MODEL.name], place)
        _run(["cc", "-O1", "-w", "-DSAFETY", "-o", "pan", "pan.c"], place)
        said = _run(["./pan"], place)
    states, errors = _STATES.search(said), _ERRORS.search(said)
    if states is None or errors is None or "max search depth" in said:
        raise RuntimeError(f"{rule.name}: the search did not end\n{said}")
    return Result(rule.name, int(float(states[1])), int(errors[1]))


def _run(command: list[str], place: str) -> str:
    done = subprocess.run(
        command, cwd=place, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def page(results: Iterable[Result]) -> str:
    """Return the whole page, its prose as it stands and its table from the figures."""
    found = {result.name: result for result in results}
    lines = [
        "| accounts | states | a survivor's write is accepted |",
        "| --- | --- | --- |",
    ]
    for rule in RULES:
        result = found[rule.name]
        word = "yes, found" if result.errors else "never"
        lines.append(f"| {rule.what} | {result.states:,} | {word} |")
    head, _, rest = PAGE.read_text().partition("<!-- figures -->")
    tail = rest.partition("<!-- end of figures -->")[2]
    table = "\n".join(lines)
    return f"{head}<!-- figures -->\n\n{table}\n\n<!-- end of figures -->{tail}"


def main() -> int:
    """Search, print, and return 1 if something is not as expected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if not is_possible():
        sys.stdout.write("spin or a C compiler is not installed: model not checked\n")
        return 0
    results, bad = [], 0
    for rule in RULES:
        result = search(rule)
        results.append(result)
        is_good = bool(result.errors) is rule.is_broken
        bad += not is_good
        word = "as expected" if is_good else "NOT as expected"
        sys.stdout.write(f"{rule.name}: {result.states:,} states, {word}\n")
    if options.write and not bad:
        MEASURED.write_text(json.dumps([asdict(r) for r in results], indent=1) + "\n")
        PAGE.write_text(page(results))
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
