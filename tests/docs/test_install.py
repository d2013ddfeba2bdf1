"""The page about releases names those that we test with, and no others."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PINNED = [ROOT / "constraints.txt", *(ROOT / "tests/airflow/releases").glob("*.txt")]


def versions(path: Path) -> dict[str, str]:
    """Return what a file of constraints pins."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)$", path.read_text().lower(), re.M))


def rows() -> list[list[str]]:
    page = (ROOT / "docs" / "howto" / "install.md").read_text()
    table = page.partition("## Which releases")[2]
    lines = [line for line in table.splitlines() if line.startswith("| 3.")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("path", PINNED, ids=lambda path: path.stem)
def test_the_parts_of_an_airflow_belong_together(path: Path) -> None:
    """The SDK of Airflow 3.x.y is 1.x.y; 3.2 needs an old FastAPI, and does not say."""
    pins = versions(path)
    release = pins["apache-airflow"]
    assert pins["apache-airflow-core"] == release
    assert pins["apache-airflow-task-sdk"] == release.replace("3.", "1.", 1)
    if path.stem == "3.2":
        assert int(pins["fastapi"].split(".")[1]) < 137
    if path.stem != "constraints":
        assert release.startswith(f"{path.stem}.")


def test_the_page_names_every_release_of_airflow_that_is_tested() -> None:
    assert {row[0] for row in rows()} == {
        versions(path)["apache-airflow"] for path in PINNED
    }


def test_the_page_names_every_python_that_the_package_claims() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    claimed = {
        name.rpartition(" ")[2]
        for name in project["classifiers"]
        if re.search(r":: Python :: 3\.\d+$", name)
    }
    assert {row[1] for row in rows()} == claimed
