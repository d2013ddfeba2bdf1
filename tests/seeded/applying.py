"""Put each seeded bug into a copy of our own code, and run the tests that must see it.

The unchanged copy has to pass all of these tests first. A bug counts as found only if
each of its tests fails by an assertion of its own. `--write` puts what was measured
into `docs/explanation/seeded.md`, `--only` picks bugs by name.
"""

from __future__ import annotations

import argparse
import compileall
import hashlib
import json
import os
import py_compile
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.seeded.bugs import BUGS, Bug
from tests.seeded.witness import PLACE, SEEN

ROOT = Path(__file__).parents[2]
PACKAGE = "airflow_codebeamer"
MEASURED = Path(__file__).with_name("measured.json")
PAGE = ROOT / "docs" / "explanation" / "seeded.md"

_OPTIONS = ("-q", "-p", "tests.seeded.witness", "-p", "no:cacheprovider")


@dataclass(frozen=True)
class Result:
    """How each test ended under one bug; `digest` is that of the bug as it was."""

    name: str
    digest: str
    ended: dict[str, str]

    @property
    def is_found(self) -> bool:
        """Whether every test said no by itself."""
        return bool(self.ended) and set(self.ended.values()) == {"assertion"}


def digest_of(bug: Bug) -> str:
    """Return what changes with a bug, so that it has to be measured again."""
    return hashlib.sha256(repr((bug.changes, bug.tests)).encode()).hexdigest()[:16]


def seeded(bug: Bug, package: Path) -> dict[str, str]:
    """Return the text of every module that a bug changes, changed.

    Raises:
        ValueError: a text to replace does not stand there exactly once.
    """
    texts: dict[str, str] = {}
    for change in bug.changes:
        text = texts.get(change.module) or (package / change.module).read_text()
        count = text.count(change.old)
        if count != 1:
            raise ValueError(
                f"{bug.name}: found {count} times in {change.module}, not once: "
                f"{change.old.strip()!r}; make the bug fit the code again"
            )
        texts[change.module] = text.replace(change.old, change.new)
    for module, text in texts.items():
        compile(text, module, "exec")
    return texts


class Copy:
    """A copy of package and tests, in which the tests import the copy."""

    def __init__(self, place: Path) -> None:
        self.package = place / PACKAGE
        #: What each test of the last run said when it failed.
        self.said: dict[str, str] = {}
        self._place = place
        self._runs = 0
        ignored = shutil.ignore_patterns("__pycache__")
        for name in (PACKAGE, "tests"):
            shutil.copytree(ROOT / name, place / name, ignore=ignored)
        shutil.copy(ROOT / "pyproject.toml", place)
        # By content: a change within the same second must not meet old bytecode.
        checked = py_compile.PycInvalidationMode.CHECKED_HASH
        compileall.compile_dir(self.package, quiet=1, invalidation_mode=checked)

    def measure(self, bug: Bug) -> Result:
        """Run a bug's tests with the bug; the copy is as before afterwards."""
        changed = seeded(bug, self.package)
        before = {module: (self.package / module).read_text() for module in changed}
        try:
            for module, text in changed.items():
                (self.package / module).write_text(text)
            ended = self.run(bug.tests, modules=changed)
        finally:
            for module, text in before.items():
                (self.package / module).write_text(text)
        return Result(bug.name, digest_of(bug), ended)

    def run(self, tests: Iterable[str], *, modules: Iterable[str]) -> dict[str, str]:
        """Run tests in the copy and return how they ended.

        Raises:
            RuntimeError: a test did not run, or the copy is not what it tested.
        """
        wanted = list(dict.fromkeys(tests))
        self._runs += 1
        seen = self._place / f"seen{self._runs}.json"
        environment = {
            **os.environ,
            "PYTHONPATH": str(self._place),
            "PYTHONDONTWRITEBYTECODE": "1",
            PLACE: str(self._place),
            SEEN: str(seen),
        }
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *_OPTIONS, *wanted],
            cwd=self._place,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        told = f"{done.stdout[-3000:]}{done.stderr[-3000:]}"
        if not seen.exists():
            raise RuntimeError(f"pytest did not run:\n{told}")
        found = json.loads(seen.read_text())
        files, ended = set(found["files"]), found["ended"]
        strange = [file for file in files if not file.startswith(str(self.package))]
        missed = {str(self.package / module) for module in modules} - files
        if strange or missed:
            raise RuntimeError(f"tested another copy: {strange}, without {missed}")
        if sorted(ended) != sorted(wanted):
            raise RuntimeError(f"not the tests that were asked for:\n{told}")
        self.said = found["said"]
        return dict(ended)


def table(results: Iterable[Result]) -> str:
    """Return the page's part that was measured."""
    found = {result.name: result for result in results}
    lines = ["| seeded bug | where | red |", "| --- | --- | --- |"]
    for bug in BUGS:
        where = dict.fromkeys(f"`{change.module}`" for change in bug.changes)
        ended = found[bug.name].ended
        red = [f"`{test}`" for test, how in ended.items() if how == "assertion"]
        lines.append(
            f"| {bug.name}: {bug.what} | {'<br>'.join(where)} | {'<br>'.join(red)} |"
        )
    return "\n".join(lines)


def page(results: Iterable[Result]) -> str:
    """Return the whole page, its prose as it stands and its table as measured."""
    head, _, rest = PAGE.read_text().partition("<!-- table -->")
    tail = rest.partition("<!-- end of table -->")[2]
    return f"{head}<!-- table -->\n\n{table(results)}\n\n<!-- end of table -->{tail}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return 1 if a bug stays green."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    options = parser.parse_args(arguments)
    chosen = [bug for bug in BUGS if not options.only or bug.name in options.only]
    with tempfile.TemporaryDirectory(prefix="seeded") as place:
        copy = Copy(Path(place).resolve())
        clean = copy.run([test for bug in chosen for test in bug.tests], modules=())
        red = [f"{test}: {how}" for test, how in clean.items() if how != "passed"]
        if red:
            sys.stdout.write("red without any bug:\n" + "\n".join(red) + "\n")
            return 1
        results = []
        for bug in chosen:
            result = copy.measure(bug)
            results.append(result)
            _say(result, copy.said)
    missed = [result.name for result in results if not result.is_found]
    sys.stdout.write(f"{len(results) - len(missed)} of {len(results)} found\n")
    if options.write and not missed and not options.only:
        kept = [asdict(result) for result in results]
        MEASURED.write_text(json.dumps(kept, indent=1) + "\n")
        PAGE.write_text(page(results))
    return 1 if missed else 0


def _say(result: Result, said: dict[str, str]) -> None:
    word = "found" if result.is_found else "NOT FOUND"
    sys.stdout.write(f"{result.name:22} {word}\n")
    for test, how in result.ended.items():
        sys.stdout.write(f"  {how:10} {test}\n    {said.get(test, '')[:160]}\n")
    sys.stdout.flush()
