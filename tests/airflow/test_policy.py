"""A DAG that locks without a teardown: refused if one asks for it, else warned of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.airflow

FOLDER = str(Path(__file__).parent / "programs" / "unsafe")
UNSAFE = {"no_unlock", "plain_unlock", "beside", "of_another", "mapped_without"}
SAFE = {"safe_plain", "safe_mapped", "safe_group", "safe_template"}


def test_nothing_is_refused_unless_asked_for(driver: Any) -> None:
    found = driver.ask("bag", folder=FOLDER)
    assert found["errors"] == {}
    assert set(found["dags"]) == UNSAFE | SAFE


def test_policy_refuses_what_no_teardown_gives_back(driver: Any) -> None:
    asked = {"AIRFLOW__CODEBEAMER__REQUIRE_UNLOCK": "True"}
    found = driver.ask("bag", folder=FOLDER, env=asked)
    assert set(found["dags"]) == SAFE
    (error,) = found["errors"].values()
    assert "AirflowClusterPolicyViolation" in error
    assert "lock >> work >> lock.teardown()" in error
    for dag_id in UNSAFE:
        assert f"of the DAG {dag_id} locks" in found["log"], dag_id
    assert "what the task second of the DAG of_another" in found["log"]
    assert "task first of the DAG of_another" not in found["log"]


def test_policy_does_not_touch_the_dags_that_ship(driver: Any) -> None:
    asked = {"AIRFLOW__CODEBEAMER__REQUIRE_UNLOCK": "True"}
    folder = str(Path(__file__).parents[2] / "dags")
    assert driver.ask("bag", folder=folder, env=asked)["errors"] == {}
