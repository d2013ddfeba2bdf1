"""A real Airflow, started, used, hurt and stopped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_codebeamer.demo import LocalAirflow
from airflow_codebeamer.errors import DemoError

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(240)]

DAG = """
from __future__ import annotations

from airflow.sdk import Param, dag, task


@dag(schedule=None, params={"number": Param(1, type="integer")})
def doubling():
    @task
    def double(params=None):
        print("doubling", params["number"])
        return params["number"] * 2

    @task
    def linger():
        import time

        time.sleep(60)

    double() >> linger()


doubling()
"""


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    folder = tmp_path_factory.mktemp("local-airflow")
    file = folder / "doubling.py"
    file.write_text(DAG, "utf-8")
    made = LocalAirflow(folder / "home", dag_files=[file])
    with made:
        yield made
    assert made.list_pids() == []
    assert made.rest.find_health() is None


def run_until_lingering(airflow: LocalAirflow, number: int) -> str:
    airflow.wait_for_dag("doubling")
    airflow.rest.unpause("doubling")
    run_id = airflow.rest.trigger("doubling", {"number": number})
    run = airflow.rest.wait_for_run(
        "doubling", run_id, until=lambda run: run.tasks.get("linger") == "running"
    )
    assert run.tasks == {"double": "success", "linger": "running"}
    return run_id


def test_a_run_goes_through_the_scheduler_and_can_be_looked_into(
    airflow: LocalAirflow,
) -> None:
    run_id = run_until_lingering(airflow, 21)

    assert airflow.rest.find_xcom("doubling", run_id, "double") == 42
    assert airflow.rest.find_xcom("doubling", run_id, "linger") is None
    assert "doubling 21" in airflow.rest.task_log("doubling", run_id, "double")

    airflow.rest.mark_task("doubling", run_id, "linger", "failed")
    run = airflow.rest.wait_for_run("doubling", run_id)
    assert run.state == "failed"
    assert run.tasks["linger"] == "failed"


def test_a_killed_scheduler_can_be_started_again(airflow: LocalAirflow) -> None:
    scheduler = airflow.component("scheduler")
    before = scheduler.pid
    scheduler.kill()
    orphans = scheduler.list_pids()
    assert orphans, "LocalExecutor's workers outlive a killed scheduler"

    scheduler.start()
    airflow.wait_until_healthy()
    assert scheduler.pid != before

    run_id = run_until_lingering(airflow, 4)
    assert airflow.rest.find_xcom("doubling", run_id, "double") == 8
    airflow.rest.mark_run("doubling", run_id, "failed")
    assert airflow.rest.wait_for_run("doubling", run_id).state == "failed"


def test_the_password_is_asked_for(airflow: LocalAirflow) -> None:
    stranger = type(airflow.rest)(airflow.url, password="wrong")
    with pytest.raises(DemoError, match="401"):
        stranger.list_dags()
    stranger.close()
    mode = (airflow.home / "passwords.json").stat().st_mode
    assert mode & 0o077 == 0


def test_a_dag_that_does_not_exist_is_named(airflow: LocalAirflow) -> None:
    with pytest.raises(DemoError, match="no DAG nobody"):
        airflow.wait_for_dag("nobody", timeout_seconds=0.5)


def test_a_database_that_cannot_be_used_ends_the_start(tmp_path: Path) -> None:
    nowhere = f"sqlite:///{tmp_path}/no/such/folder/airflow.db"
    made = LocalAirflow(tmp_path / "home", database_url=nowhere)
    with pytest.raises(DemoError, match="db migrate failed"), made:
        pass
    assert made.list_pids() == []
    assert not os.listdir(made.home / "dags")


def test_using_it_before_the_start_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="not started"):
        LocalAirflow(tmp_path).rest.list_dags()
