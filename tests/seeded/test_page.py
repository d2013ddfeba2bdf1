"""Every seeded bug still fits the code, and the page says what was measured."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from tests.seeded.applying import (
    MEASURED,
    PACKAGE,
    PAGE,
    ROOT,
    Result,
    digest_of,
    seeded,
)
from tests.seeded.applying import page as page_of
from tests.seeded.bugs import BUGS, Change


def _kept() -> list[Result]:
    return [Result(**one) for one in json.loads(MEASURED.read_text())]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_what_a_bug_replaces_stands_there_once(bug):
    for module, text in seeded(bug, ROOT / PACKAGE).items():
        assert text != (ROOT / PACKAGE / module).read_text()
    for test in bug.tests:
        file, name = test.split("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text()


def test_a_text_that_is_gone_is_an_error():
    bug = replace(BUGS[0], changes=(Change("locking/states.py", "no such text", ""),))
    with pytest.raises(ValueError, match=r"found 0 times in locking/states\.py"):
        seeded(bug, ROOT / PACKAGE)


def test_every_fault_of_the_model_is_seeded_in_the_code_too():
    model = (ROOT / "docs" / "model" / "lock.pml").read_text()
    faults = set(re.findall(r"#ifn?def BUG_(\w+)", model))
    assert {bug.of_model for bug in BUGS if bug.of_model} == faults


def test_every_bug_was_measured_as_it_is_and_found():
    kept = {result.name: result for result in _kept()}
    assert list(kept) == [bug.name for bug in BUGS]
    for bug in BUGS:
        result = kept[bug.name]
        assert result.digest == digest_of(bug), f"{bug.name}: run `make seeded`"
        assert result.is_found
        assert tuple(result.ended) == bug.tests


def test_the_page_is_what_was_measured():
    assert PAGE.read_text() == page_of(_kept())
