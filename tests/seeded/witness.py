"""A plugin for pytest that says how each test ended, and which code was tested.

Works in the copy that `applying` makes: environment variables name the copy and the
file that is to hold what was seen.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

PLACE = "CODEBEAMER_SEEDED_PLACE"
SEEN = "CODEBEAMER_SEEDED_SEEN"

_ended: dict[str, str] = {}
_said: dict[str, str] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, Any]:
    """Note "passed", "assertion" or what else ended a test."""
    report = yield
    if call.excinfo is not None and report.outcome != "skipped":
        is_red = call.when == "call" and _is_of_the_test(call.excinfo)
        said = call.excinfo.exconly()
        _ended[item.nodeid] = "assertion" if is_red else said[:500]
        _said[item.nodeid] = said.partition("\n")[0]
    elif call.when == "call":
        _ended[item.nodeid] = report.outcome
    return report


def pytest_sessionfinish() -> None:
    """Write down how the tests ended and the files that they imported of ours."""
    files = [
        str(Path(module.__file__).resolve())
        for name, module in sorted(sys.modules.items())
        if name.partition(".")[0] == "airflow_codebeamer"
        and getattr(module, "__file__", None)
    ]
    Path(os.environ[SEEN]).write_text(
        json.dumps({"ended": _ended, "said": _said, "files": files})
    )


def _is_of_the_test(error: pytest.ExceptionInfo[BaseException]) -> bool:
    """Return whether a test said no itself: our own code may hold assertions too."""
    if isinstance(error.value, pytest.fail.Exception):
        return True
    tests = Path(os.environ[PLACE]) / "tests"
    last = Path(error.traceback[-1].path)
    return isinstance(error.value, AssertionError) and last.is_relative_to(tests)
