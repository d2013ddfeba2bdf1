"""Programs, and operators that are not ours, between the locks of a real Airflow."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_codebeamer.emulator import DEMO_TRACKER_ID

pytestmark = pytest.mark.airflow


def run(driver: Any, site: Any, dag_id: str, **conf: Any) -> dict[str, Any]:
    answer: dict[str, Any] = driver.ask("run", dag_id=dag_id, conf=conf, env=site.env())
    return answer


def names(site: Any) -> list[str]:
    return sorted(item["name"] for item in site.server.items(DEMO_TRACKER_ID))


def test_a_program_in_the_template(driver: Any, site: Any) -> None:
    given = {"tracker_id": DEMO_TRACKER_ID, "arguments": {"size": 3}}
    before = site.server.permissions(DEMO_TRACKER_ID)
    first = run(driver, site, "streaming", **given)
    assert first["state"] == "success", first["log"]
    assert names(site) == ["Item 0", "Item 1", "Item 2"]
    assert first["xcoms"]["generate"]["return_value"]["created"] == 3
    assert first["xcoms"]["generate"]["progress"].startswith("create: 3 of 3 (100 %)")
    assert site.server.permissions(DEMO_TRACKER_ID) == before
    second = run(driver, site, "streaming", **given)
    assert second["tasks"]["generate"] == "skipped", second["log"]


def test_a_program_that_has_nothing_to_do_locks_nothing(driver: Any, site: Any) -> None:
    given = {"tracker_id": DEMO_TRACKER_ID, "arguments": {"size": 0}}
    ended = run(driver, site, "streaming", **given)
    assert ended["state"] == "success", ended["log"]
    assert ended["tasks"] == {"plan": "success"} | dict.fromkeys(
        ("reserve", "lock", "generate", "unlock", "verify"), "skipped"
    )
    assert "nothing to do" in ended["log"]


@pytest.mark.parametrize("fails", [False, True])
def test_a_program_that_writes_itself(driver: Any, site: Any, fails: bool) -> None:
    before = site.server.permissions(DEMO_TRACKER_ID)
    ended = run(driver, site, "delegating", fail=fails)
    assert ended["state"] == ("failed" if fails else "success"), ended["log"]
    assert names(site) == ([] if fails else ["Written by a program"])
    if not fails:
        told = ended["xcoms"]["exclusive_tracker.write"]["return_value"]
        assert told["created"] == 1
    assert site.server.permissions(DEMO_TRACKER_ID) == before
    assert site.owners() == {}
    assert site.secret not in ended["log"]


def test_an_operator_that_is_not_ours(driver: Any, site: Any) -> None:
    before = site.server.permissions(DEMO_TRACKER_ID)
    ended = run(driver, site, "any_operator")
    assert ended["state"] == "success", ended["log"]
    assert ended["tasks"]["exclusive_tracker.export"] == "success"
    assert "tracker 2001 until 20" in ended["log"]
    assert site.server.permissions(DEMO_TRACKER_ID) == before
    assert site.owners() == {}
