"""A DAG file is parsed every half minute: it imports little and reaches for nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
FILES = sorted((HERE.parents[1] / "dags").glob("*.py"))

#: Rooms of ours that are needed to write a task down; the engines are not.
LIGHT = {
    "spans",
    "clock",
    "errors",
    "hooks",
    "ids",
    "notifications",
    "operators",
    "sensors",
}


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = str(tmp_path_factory.mktemp("parsing"))
    done = subprocess.run(
        [sys.executable, str(HERE / "programs" / "parsing.py"), *map(str, FILES)],
        env={**os.environ, "AIRFLOW_HOME": home},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_imports_bring_no_client_no_store_and_no_engine(parsed: dict[str, Any]) -> None:
    """Each of these costs tens of milliseconds in each process that parses."""
    foreign, rooms = set(), set()
    for name in parsed["imported"]:
        first, _, rest = name.partition(".")
        if first == "airflow_codebeamer":
            rooms.add(rest.partition(".")[0])
        elif first != "airflow":
            foreign.add(first)
    assert foreign == set()
    assert rooms - LIGHT - {""} == {"template"}


def test_parsing_reaches_for_nothing(parsed: dict[str, Any]) -> None:
    """No network, no store, no file; the database of Airflow is a file or network."""
    assert len(parsed["reached"]) == len(FILES) >= 2
    assert parsed["reached"] == {str(path): [] for path in FILES}
    assert [line.split()[0] for line in parsed["teeth"]] == ["open", "socket.__new__"]
