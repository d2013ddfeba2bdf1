"""Every trap has a test or a reason, and whoever says otherwise is found out."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import airflow_codebeamer

PACKAGE = Path(airflow_codebeamer.__file__).parent
ROOT = PACKAGE.parent

ANSWERED = """
import pytest

@pytest.mark.trap("T1", "T2")
@pytest.mark.parametrize("number", [1, 2])
def test_it(number): ...
"""


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that writes the page; it is no part of a package."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    return importlib.import_module("traps_page")


def stated(**facts: dict) -> dict[str, dict]:
    told = {"trap": "it breaks", "rule": "we do not break it"}
    return {name: {**told, **more} for name, more in {"T1": {}, **facts}.items()}


def wrong(page: ModuleType, folder: Path, source: str, **facts: dict) -> list[str]:
    (folder / "test_some.py").write_text(source)
    tests = page.find_tests(folder)
    return page.find_wrong(stated(**facts), tests, {"found": 1, "passed": 0})


def test_an_answer_for_each_is_in_order(page: ModuleType, tmp_path: Path) -> None:
    facts = {"T2": {"partly": "not all"}, "T3": {"not_built": "no queue"}}
    assert wrong(page, tmp_path, ANSWERED, **facts) == []
    tests = page.find_tests(tmp_path)
    written = "".join(page.trap_lines(stated(**facts), tests))
    assert "3 traps: 2 with tests, of which 1 say" in written
    assert "| test_some.py: `test_it`<br>**In part.** not all |" in written
    assert "| **Not built.** no queue |" in written


@pytest.mark.parametrize(
    ("facts", "offence"),
    [
        ({"T2": {}, "T3": {}}, "T3: no test is marked with it and no reason is given"),
        ({}, "test_some.py::test_it names T2, which is no trap"),
        ({"T2": {"not_built": "no"}}, "T2: has a test and is called not_built"),
        ({"T2": {"model": ["passed"]}}, "T2: the model found no fault passed"),
        ({"T2": {"model": ["unheard"]}}, "T2: the model found no fault unheard"),
        ({"T2": {"reason": "x"}}, "T2: no such property: reason"),
        ({"T2": {"rule": ""}}, "T2: `rule` is missing"),
        ({"T2": {}, "T4": {"not_built": "x"}}, "the traps are not T1, T2, … in order"),
        (
            {"T2": {}, "T3": {"not_built": "x", "partly": "y"}},
            "T3: has more than one reason",
        ),
    ],
)
def test_each_offence_is_seen(
    page: ModuleType, tmp_path: Path, facts: dict, offence: str
) -> None:
    (found,) = wrong(page, tmp_path, ANSWERED, **facts)
    assert found.startswith(offence)


@pytest.mark.parametrize(
    "more",
    [
        "@pytest.mark.nightly\n@pytest.mark.trap('T1')\ndef test_it(): ...",
        "pytestmark = [pytest.mark.nightly]\n"
        "@pytest.mark.trap('T1')\ndef test_it(): ...",
    ],
)
def test_a_nightly_test_alone_is_no_answer(
    page: ModuleType, tmp_path: Path, more: str
) -> None:
    found = wrong(page, tmp_path, f"import pytest\n{more}\n")
    assert found == ["T1: only nightly tests are marked with it"]


@pytest.mark.parametrize(
    "source",
    [
        "@pytest.mark.trap('T1')\ndef helper(): ...",
        "pytestmark = pytest.mark.trap('T1')\ndef test_it(): ...",
        "@pytest.mark.trap\ndef test_it(): ...",
        "@pytest.mark.trap()\ndef test_it(): ...",
        "class TestIt:\n    @pytest.mark.trap('T1')\n    def test_it(self): ...",
    ],
)
def test_a_marker_that_says_nothing_is_refused(
    page: ModuleType, tmp_path: Path, source: str
) -> None:
    with pytest.raises(ValueError, match="each trap marker decorates one test"):
        wrong(page, tmp_path, f"{source}\n")


def test_all_traps_are_stated_in_the_same_order_as_numbered() -> None:
    found = yaml.safe_load((ROOT / "docs/traps.yaml").read_text())
    assert list(found) == [f"T{number}" for number in range(1, 38)]


@pytest.mark.trap("T14")
def test_no_trigger_renews_or_holds() -> None:
    used = set()
    for file in sorted((PACKAGE / "triggers").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute):
                used.add(node.attr)
            elif isinstance(node, ast.Name):
                used.add(node.id)
    assert used
    assert used & {"Heartbeat", "Pulse", "acquire", "begin", "beat", "renew"} == set()


@pytest.mark.trap("T19")
def test_nothing_hangs_on_a_session_of_the_store() -> None:
    # Locks and listeners of a session, settings for it, tables that it alone sees.
    session = (
        r"advisory_|\bLISTEN\b|\bNOTIFY\b|\bSET SESSION\b|^SET (?!TRANS)|CREATE TEMP"
    )
    files = sorted(PACKAGE.rglob("*.py"))
    assert files
    told = [
        f"{file.name}: {node.value[:40]}"
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.search(session, node.value)
    ]
    assert told == []
