"""The page on traps: what goes wrong with locks elsewhere, and what shows that we hold.

Which test shows it is said at the test, `@pytest.mark.trap("T5")`; the tests are read
and not imported, so that neither pytest nor Airflow is needed. What no test can say
stands in `traps.yaml`.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from reading import cell

__all__ = ["Covering", "find_tests", "find_wrong", "trap_lines", "traps_page"]

ROOT = Path(__file__).parents[1]
STATED = Path(__file__).with_name("traps.yaml")
MEASURED = Path(__file__).parent / "model/measured.json"
REASONS = {"not_built": "Not built.", "cannot_occur": "Cannot occur."}
KNOWN = {"trap", "rule", "model", "partly", *REASONS}


@dataclass(frozen=True)
class Covering:
    """A test that shows that a trap does not bite."""

    trap: str
    path: str
    name: str
    is_nightly: bool = False


def _is_mark(node: ast.AST, name: str) -> bool:
    call = node.func if isinstance(node, ast.Call) else node
    return ast.unparse(call) == f"pytest.mark.{name}"


def _of_function(node: ast.FunctionDef, path: str, nightly: bool) -> Iterator[Covering]:
    mine = nightly or any(_is_mark(one, "nightly") for one in node.decorator_list)
    for mark in node.decorator_list:
        if isinstance(mark, ast.Call) and _is_mark(mark, "trap"):
            for argument in mark.args:
                trap = ast.literal_eval(argument)
                yield Covering(trap, path, node.name, is_nightly=mine)


def _is_nightly(tree: ast.Module) -> bool:
    return any(
        isinstance(one, ast.Assign)
        and ast.unparse(one.targets[0]) == "pytestmark"
        and any(_is_mark(part, "nightly") for part in ast.walk(one.value))
        for one in tree.body
    )


def find_tests(tests: Path) -> list[Covering]:
    """Return what the markers of the tests below a folder say.

    Raises:
        ValueError: a marker stands where pytest collects no test, or names nothing.
    """
    found: list[Covering] = []
    for file in sorted(tests.rglob("test_*.py")):
        tree = ast.parse(file.read_text())
        path = file.relative_to(tests).as_posix()
        marks = sum(
            1
            for one in ast.walk(tree)
            if isinstance(one, ast.Attribute) and _is_mark(one, "trap")
        )
        told = [
            covering
            for one in tree.body
            if isinstance(one, ast.FunctionDef) and one.name.startswith("test_")
            for covering in _of_function(one, path, _is_nightly(tree))
        ]
        if marks != len({covering.name for covering in told}):
            raise ValueError(
                f"{path}: each trap marker decorates one test and names its traps"
            )
        found += told
    return found


def find_wrong(
    stated: Mapping[str, Mapping[str, Any]],
    tests: Sequence[Covering],
    seeded: Mapping[str, int],
) -> list[str]:
    """Return what is wrong: traps that nothing answers, and answers to no trap.

    `seeded` are the searches of the model with the number of errors found in each.
    """
    numbers = [f"T{number}" for number in range(1, len(stated) + 1)]
    wrong = [] if list(stated) == numbers else ["the traps are not T1, T2, … in order"]
    wrong += [
        f"{one.path}::{one.name} names {one.trap}, which is no trap"
        for one in tests
        if one.trap not in stated
    ]
    for name, facts in stated.items():
        wrong += [f"{name}: {problem}" for problem in _problems(name, facts, tests)]
        wrong += [
            f"{name}: the model found no fault {fault}"
            for fault in facts.get("model", ())
            if not seeded.get(fault)
        ]
    return wrong


def _problems(
    name: str, facts: Mapping[str, Any], tests: Sequence[Covering]
) -> Iterator[str]:
    if unknown := set(facts) - KNOWN:
        yield f"no such property: {', '.join(sorted(unknown))}"
    for needed in ("trap", "rule"):
        if not facts.get(needed):
            yield f"`{needed}` is missing"
    reasons = [reason for reason in REASONS if facts.get(reason)]
    covered = [one for one in tests if one.trap == name]
    if not covered and not reasons:
        yield "no test is marked with it and no reason is given"
    if covered and reasons:
        yield f"has a test and is called {reasons[0]}; say `partly` instead"
    if covered and all(one.is_nightly for one in covered):
        yield "only nightly tests are marked with it"
    if len(reasons) > 1 or (reasons and "partly" in facts):
        yield "has more than one reason"


def trap_lines(
    stated: Mapping[str, Mapping[str, Any]], tests: Sequence[Covering]
) -> Iterator[str]:
    """The page, from what is stated and what the tests say."""
    covered = {one.trap for one in tests}
    partly = sum(1 for name in covered if "partly" in stated[name])
    yield "# Traps of such locks\n\n"
    yield "A lock that guards something it does not own, here the permissions of a "
    yield "tracker, can go wrong in ways that others have met before. Each row is "
    yield "one, with our rule and the tests that fail when the rule is broken. The "
    yield 'tests say so themselves, `@pytest.mark.trap("T5")`; this page is written '
    yield "from them, and cannot be written while a trap has neither a test nor a "
    yield "reason.\n\n"
    yield f"{len(stated)} traps: {len(covered)} with tests, of which {partly} say "
    yield "what the tests leave open"
    counts = {
        word: sum(1 for facts in stated.values() if reason in facts)
        for reason, word in REASONS.items()
    }
    yield "; without: " + ", ".join(
        f"{count} {word.rstrip('.').lower()}" for word, count in counts.items() if count
    )
    yield ". *Model* names faults that were put into [the model](model.md) and "
    yield "found there.\n\n| | trap | our rule | shown by |\n"
    yield "| --- | --- | --- | --- |\n"
    for name, facts in stated.items():
        shown = "<br>".join(_shown(name, facts, tests))
        yield f"| {name} | {cell(facts['trap'])} | {cell(facts['rule'])} | {shown} |\n"


def _shown(
    name: str, facts: Mapping[str, Any], tests: Sequence[Covering]
) -> Iterator[str]:
    paths = sorted({one.path for one in tests if one.trap == name})
    for path in paths:
        mine = [one for one in tests if one.trap == name and one.path == path]
        told = ", ".join(
            f"`{one.name}`" + (" (nightly)" if one.is_nightly else "") for one in mine
        )
        yield f"{path}: {told}"
    if facts.get("model"):
        yield "Model: " + ", ".join(f"`{fault}`" for fault in facts["model"])
    if "partly" in facts:
        yield f"**In part.** {cell(facts['partly'])}"
    for reason, word in REASONS.items():
        if reason in facts:
            yield f"**{word}** {cell(facts[reason])}"


def traps_page() -> Iterator[str]:
    """The page, or the reasons for which it cannot be written.

    Raises:
        SystemExit: a trap has no answer, or an answer no trap.
    """
    stated = yaml.safe_load(STATED.read_text())
    tests = find_tests(ROOT / "tests")
    seeded = {one["name"]: one["errors"] for one in json.loads(MEASURED.read_text())}
    if wrong := find_wrong(stated, tests, seeded):
        raise SystemExit("Traps: " + "; ".join(wrong) + ".")
    yield from trap_lines(stated, tests)
