"""The DAGs of the page about own tasks, run as they stand there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer.emulator import DEMO_STAKEHOLDER_ID, DEMO_TRACKER_ID

pytestmark = pytest.mark.airflow

TRACKERS = (DEMO_TRACKER_ID, DEMO_STAKEHOLDER_ID)


@pytest.mark.parametrize(
    ("dag_id", "released"),
    [
        ("nightly_fields", {"exclusive_tracker.unlock": [2001]}),
        ("classic_fields", {"unlock": [2001]}),
        ("taskflow_fields", {"exclusive_tracker.unlock": [2001]}),
        (
            "two_trackers",
            {"requirements.tests.unlock": [2002], "requirements.unlock": [2001]},
        ),
        ("one_lock_of_two", {"exclusive_tracker.unlock": [2001, 2002]}),
        ("mapped_trackers", {}),
        ("mapped_locks", {"unlock": [2001, 2002]}),
    ],
)
def test_each_example_of_the_page_locks_and_releases(
    driver: Any, site: Any, dag_id: str, released: dict[str, list[int]]
) -> None:
    before = [site.server.permissions(tracker) for tracker in TRACKERS]
    ended = driver.ask("run", dag_id=dag_id, env=site.env())
    assert ended["state"] == "success", ended["log"]
    assert set(ended["tasks"].values()) == {"success"}
    found = {
        task: [one["tracker_id"] for one in xcoms["return_value"]["released"]]
        for task, xcoms in ended["xcoms"].items()
        if task in released
    }
    assert found == released
    assert site.owners() == {}
    assert [site.server.permissions(tracker) for tracker in TRACKERS] == before
    puts = [call for call in site.server.calls() if call["method"] == "PUT"]
    assert puts, "nothing was locked"


def test_examples_are_what_the_policy_wants(driver: Any, examples: Path) -> None:
    asked = {"AIRFLOW__CODEBEAMER__REQUIRE_UNLOCK": "True"}
    found = driver.ask("bag", folder=str(examples), env=asked)
    assert found["errors"] == {}
    assert len(found["dags"]) == 7
    assert {dag["callbacks"] for dag in found["dags"].values()} == {1}


def test_mapped_tasks_and_several_after_each_other(driver: Any, site: Any) -> None:
    ended = driver.ask("run", dag_id="mapped_inside", env=site.env())
    assert ended["state"] == "success", ended["log"]
    assert site.owners() == {}
