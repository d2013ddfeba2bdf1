"""Both DAG files and the template, as a DAG processor sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.airflow

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def ours(driver: Any) -> dict[str, Any]:
    found = driver.ask("bag", folder=str(REPOSITORY / "dags"))
    assert found["errors"] == {}
    dags: dict[str, Any] = found["dags"]
    return dags


def test_both_dags_are_there(ours: dict[str, Any]) -> None:
    assert set(ours) == {"codebeamer_generator", "codebeamer_lock_janitor"}


def test_wiring_of_the_template(ours: dict[str, Any]) -> None:
    tasks = ours["codebeamer_generator"]["tasks"]
    assert {name: task["upstream"] for name, task in tasks.items()} == {
        "plan": [],
        "reserve": ["plan"],
        "lock": ["reserve"],
        "generate": ["lock"],
        "unlock": ["generate", "reserve"],
        "verify": ["reserve", "unlock"],
    }
    assert [name for name in tasks if tasks[name]["is_setup"]] == ["reserve"]
    assert {name for name in tasks if tasks[name]["is_teardown"]} == {
        "unlock",
        "verify",
    }
    assert [name for name in tasks if tasks[name]["fails_run"]] == ["verify"]
    assert {name for name in tasks if tasks[name]["has_callback"]} == {
        "lock",
        "generate",
        "unlock",
    }


def test_dag_is_released_by_callback_and_deadline(ours: dict[str, Any]) -> None:
    dag = ours["codebeamer_generator"]
    assert dag["callbacks"] == 1
    assert dag["deadlines"] == 1


def test_form_and_schedule(ours: dict[str, Any]) -> None:
    dag = ours["codebeamer_generator"]
    assert dag["params"] == [
        "tracker_id",
        "generator",
        "arguments",
        "reason",
        "priority",
        "wait_for",
        "skip_if_locked",
    ]
    assert dag["schedule"] is None
    assert ours["codebeamer_lock_janitor"]["schedule"] == "*/3 * * * *"


def test_owner_is_not_airflow(ours: dict[str, Any]) -> None:
    assert {dag["owner"] for dag in ours.values()} == {"codebeamer"}


def test_unlock_is_tried_for_minutes(ours: dict[str, Any]) -> None:
    assert ours["codebeamer_generator"]["tasks"]["unlock"]["retries"] >= 5


def test_schedule_variable(driver: Any) -> None:
    folder = str(REPOSITORY / "dags")
    schedule = {"AIRFLOW_VAR_CODEBEAMER_GENERATOR_SCHEDULE": "0 4 * * *"}
    wanting = driver.ask("bag", folder=folder, env=schedule)
    assert "has a schedule" in str(wanting["errors"])
    tracker = {"AIRFLOW_VAR_CODEBEAMER_GENERATOR_TRACKER": "2001"}
    found = driver.ask("bag", folder=folder, env=schedule | tracker)
    assert found["errors"] == {}
    assert found["dags"]["codebeamer_generator"]["schedule"] == "0 4 * * *"


def test_waits_where_it_is_told(driver: Any) -> None:
    folder = str(REPOSITORY / "dags")
    waits = {}
    for word in ("", "true", "false"):
        for usual in ("True", "False"):
            env = {
                "AIRFLOW_VAR_CODEBEAMER_GENERATOR_DEFERRABLE": word,
                "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": usual,
            }
            found = driver.ask("bag", folder=folder, env=env)
            tasks = found["dags"]["codebeamer_generator"]["tasks"]
            waits[word, usual] = tasks["lock"]["deferrable"]
    assert [key for key in waits if waits[key]] == [
        ("", "True"),
        ("true", "True"),
        ("true", "False"),
    ]


def test_files_parse_while_store_and_server_are_away(driver: Any) -> None:
    away = {
        "AIRFLOW_CONN_CODEBEAMER_DEFAULT": "codebeamer://127.0.0.1:1/cb",
        "AIRFLOW__CODEBEAMER__LOCK_STORE": "postgresql://nobody@127.0.0.1:1/locks",
    }
    found = driver.ask("bag", folder=str(REPOSITORY / "dags"), env=away)
    assert found["errors"] == {}
    assert len(found["dags"]) == 2
