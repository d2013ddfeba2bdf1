"""Runs of the wirings under a real Airflow, against the emulator."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta
from typing import Any

import pytest

from airflow_codebeamer.emulator import DEMO_STAKEHOLDER_ID, DEMO_TRACKER_ID
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Owner
from airflow_codebeamer.wiring import Codebeamer, connect

pytestmark = pytest.mark.airflow

TRACKER = TrackerId(DEMO_TRACKER_ID)
OTHER = TrackerId(DEMO_STAKEHOLDER_ID)
ALL = {"plan", "reserve", "lock", "generate", "unlock", "verify"}


class Runs:
    """Runs DAGs against one site, and looks at what became of it."""

    def __init__(self, driver: Any, site: Any) -> None:
        self.driver = driver
        self.site = site

    def __call__(self, dag_id: str, **conf: Any) -> dict[str, Any]:
        conf = {"tracker_id": TRACKER, **conf}
        order = {"dag_id": dag_id, "conf": conf, "env": self.site.env()}
        answer: dict[str, Any] = self.driver.ask("run", **order)
        return answer

    def keys(self) -> list[str]:
        """Return the keys of the generated items."""
        found = [
            field["value"]
            for item in self.site.server.items(TRACKER)
            for field in item.get("customFields", [])
            if field["name"] == "External ID" and field.get("value")
        ]
        return sorted(found)


@pytest.fixture
def runs(driver: Any, site: Any) -> Runs:
    return Runs(driver, site)


def test_whole_template_twice(runs: Runs) -> None:
    before = runs.site.server.permissions(TRACKER)
    first = runs("template", arguments={"count": 2}, reason="nightly")
    assert first["state"] == "success", first["log"]
    assert first["tasks"] == dict.fromkeys(ALL, "success")
    assert runs.keys() == ["t:0", "t:0.a", "t:1", "t:1.a"]
    assert runs.site.server.permissions(TRACKER) == before
    assert runs.site.owners() == {}
    xcoms = first["xcoms"]
    assert xcoms["generate"]["return_value"]["created"] == 4
    handle = xcoms["lock"]["return_value"]
    assert handle["owner"] == f"template/{first['run_id']}"
    assert [one["state"] for one in handle["locks"]] == ["held"]
    assert handle["locks"][0]["tracker_id"] == TRACKER
    assert handle["deadline"] is not None
    (reserved,) = xcoms["reserve"]["return_value"]["locks"]
    assert reserved["state"] == "granted"
    (released,) = xcoms["unlock"]["return_value"]["released"]
    assert released["restored"]
    assert released["drift"] == []
    assert xcoms["lock"]["_link_TrackerLink"] == (
        f"{runs.site.server.url}/tracker/{TRACKER}"
    )

    runs.site.server.clear_calls()
    second = runs("template", arguments={"count": 2})
    assert second["state"] == "success", second["log"]
    assert second["tasks"] == {"plan": "success"} | dict.fromkeys(
        ALL - {"plan"}, "skipped"
    )
    assert second["xcoms"]["plan"]["return_value"]["is_empty"] is True
    calls = runs.site.server.calls()
    assert {call["method"] for call in calls} <= {"GET", "POST"}
    assert len(calls) <= 6, [call["operation"] for call in calls]
    assert len(runs.keys()) == 4


def test_what_others_change_under_the_lock_is_in_the_xcom(runs: Runs) -> None:
    before = runs.site.server.permissions(TRACKER)
    path = f"/v3/trackers/{TRACKER}/items"
    body = {"name": "By an administrator"}
    request = {"user": "bond", "method": "POST", "path": path, "body": body}
    fault = {"kind": "actor", "operation": "createTrackerItem", "nth": 2}
    runs.site.server.add_fault({**fault, "request": request})
    env = {**runs.site.env(), "AIRFLOW__CODEBEAMER__CERTIFICATE": "warn"}
    conf = {"tracker_id": TRACKER, "arguments": {"count": 2}}
    ended = runs.driver.ask("run", dag_id="template", conf=conf, env=env)
    assert ended["state"] == "success", ended["log"]
    (released,) = ended["xcoms"]["unlock"]["return_value"]["released"]
    told = released["certificate"]
    (change,) = told["changes"]
    assert (change["kind"], change["by"]) == ("created", "bond")
    assert change["item_id"]
    assert change["at"] > told["stamp_before"]
    assert (told["changed_by_us"], told["clean"], told["gaps"]) == (4, False, [])
    assert "created by bond at" in ended["log"]
    assert runs.site.server.permissions(TRACKER) == before


def test_generator_that_raises_changes_nothing(runs: Runs) -> None:
    before = runs.site.server.permissions(TRACKER)
    ended = runs("template", generator="tiny_generators:broken")
    assert ended["state"] == "failed"
    assert ended["tasks"]["generate"] == "failed"
    assert ended["tasks"]["unlock"] == "success"
    assert "the network database ends here" in ended["log"]
    assert runs.keys() == []
    assert runs.site.server.permissions(TRACKER) == before
    assert runs.site.owners() == {}


def test_bad_input_is_refused_before_anything_is_touched(runs: Runs) -> None:
    ended = runs("template", tracker_id=None)
    assert ended["tasks"]["plan"] == "failed"
    assert "say the tracker's number, not 'None'" in ended["log"]
    ended = runs("template", generator="tiny_generators:frame")
    assert ended["tasks"]["plan"] == "failed"
    assert "did you mean 'frames'?" in ended["log"]
    ended = runs("template", arguments={"number": 3})
    assert ended["tasks"]["plan"] == "failed"
    assert "no argument 'number'" in ended["log"]
    for call in runs.site.server.calls():
        assert call["method"] == "GET"
    assert not runs.site.owners()


def test_server_that_refuses_half_way(runs: Runs) -> None:
    before = runs.site.server.permissions(TRACKER)
    runs.site.server.add_fault(
        {"kind": "status", "operation": "createTrackerItem", "nth": 3, "status": 403}
    )
    ended = runs("template", arguments={"count": 2})
    assert ended["state"] == "failed", ended["log"]
    assert ended["tasks"]["generate"] == "failed"
    assert ended["tasks"]["unlock"] == "success"
    assert ended["tasks"]["verify"] == "success"
    assert runs.keys() == []
    assert runs.site.server.permissions(TRACKER) == before
    assert runs.site.owners() == {}


def test_tracker_of_somebody_else(runs: Runs, elsewhere: Codebeamer) -> None:
    owner = Owner.here("alice/import")
    elsewhere.engine.acquire(TRACKER, owner=owner, reason="the big import")
    ended = runs("template", arguments={"count": 1})
    assert ended["state"] == "failed"
    assert ended["tasks"]["lock"] == "failed"
    assert ended["tasks"]["generate"] == "upstream_failed"
    assert "locked by alice/import since" in ended["log"]
    assert "the big import" in ended["log"]
    assert runs.site.owners() == {TRACKER: "alice/import"}
    assert runs.keys() == []


def test_no_secret_anywhere(runs: Runs) -> None:
    secret = json.loads(runs.site.connection())["password"]
    ended = runs("template", arguments={"count": 1})
    failed = runs("template", generator="tiny_generators:broken")
    for run in (ended, failed):
        assert secret not in json.dumps(run)
    assert secret.encode() not in runs.site.store_path.read_bytes()


def test_around_tasks_of_ones_own(runs: Runs) -> None:
    before = runs.site.server.permissions(TRACKER)
    ended = runs("around")
    assert ended["state"] == "success", ended["log"]
    assert set(ended["tasks"].values()) == {"success"}
    failed = runs("around", fail=True)
    assert failed["state"] == "failed"
    group = "exclusive_tracker"
    assert failed["tasks"][f"{group}.second"] == "failed"
    assert failed["tasks"][f"{group}.unlock"] == "success"
    assert failed["tasks"][f"{group}.verify"] == "success"
    assert runs.site.server.permissions(TRACKER) == before
    assert runs.site.owners() == {}


def test_lock_twice_and_generate_after_release(runs: Runs) -> None:
    ended = runs("twice")
    assert ended["state"] == "success", ended["log"]
    handles = [ended["xcoms"][name]["return_value"] for name in ("lock", "again")]
    first, second = ([one["lock"]["epoch"] for one in h["locks"]] for h in handles)
    assert first == second
    assert "the lock was taken again" in ended["log"]
    warning = "No teardown gives back what the task {} of the DAG twice locks"
    assert warning.format("lock") in ended["log"]
    assert warning.format("again") in ended["log"]
    assert ended["xcoms"]["unlock_again"]["return_value"]["released"]
    assert runs.site.owners() == {}
    assert len(runs.keys()) == 4


def test_callable_generator(runs: Runs) -> None:
    """Airflow calls what is callable in a template field: ours are not to be."""
    ended = runs("callable")
    assert ended["state"] == "success", ended["log"]
    assert ended["xcoms"]["generate"]["return_value"]["created"] == 1
    assert runs.keys() == ["t:0"]


def test_two_trackers_in_one_run_are_released_each_by_its_own(runs: Runs) -> None:
    before = len(runs.site.server.items(OTHER))
    ended = runs("several")
    assert ended["state"] == "success", ended["log"]
    released = ended["xcoms"]["a.unlock"]["return_value"]["released"]
    assert [one["tracker_id"] for one in released] == [TRACKER]
    assert "the lock was taken again" not in ended["log"]
    assert len(runs.site.server.items(OTHER)) == before + 1
    assert runs.keys() == []
    assert runs.site.owners() == {}


def test_mapped_locks_and_one_unlock_for_all(runs: Runs) -> None:
    before = len(runs.site.server.items(OTHER))
    ended = runs("mapped")
    assert ended["state"] == "success", ended["log"]
    assert runs.keys() == ["t:0"]
    assert len(runs.site.server.items(OTHER)) == before + 1
    released = ended["xcoms"]["unlock"]["return_value"]["released"]
    assert [one["tracker_id"] for one in released] == [TRACKER, OTHER]
    assert runs.site.owners() == {}


def test_deferred_lock_waits_for_the_holder(runs: Runs, elsewhere: Codebeamer) -> None:
    lease = timedelta(seconds=60)
    owner = Owner.here("alice/short")
    elsewhere.engine.acquire(TRACKER, owner=owner, lease=lease)

    def end_when_somebody_waits() -> None:
        until = time.monotonic() + 90
        while not elsewhere.queue.list_tickets() and time.monotonic() < until:
            elsewhere.engine.acquire(TRACKER, owner=owner, lease=lease)
            time.sleep(0.2)
        elsewhere.engine.release(TRACKER, owner_key=owner.key)

    release = threading.Thread(target=end_when_somebody_waits)
    release.start()
    try:
        ended = runs("deferring")
    finally:
        release.join()
    assert ended["state"] == "success", ended["log"]
    assert "Waiting in the triggerer" in ended["log"]
    assert elsewhere.queue.list_tickets() == []
    assert runs.site.owners() == {}


def test_sensors_see_a_free_tracker(runs: Runs) -> None:
    ended = runs("sensing")
    assert ended["tasks"] == {"poking": "success", "deferred": "success"}


def test_janitor_finishes_an_expired_lock(runs: Runs) -> None:
    before = runs.site.server.permissions(TRACKER)
    soon = {
        "ttl": timedelta(seconds=1),
        "bridge": timedelta(seconds=1),
        "beat": timedelta(seconds=0.2),
        "margin": timedelta(seconds=0.2),
        "lock_delay": timedelta(seconds=0.2),
    }
    with connect(runs.site.settings(**soon)) as dying:
        dying.engine.acquire(TRACKER, owner=Owner.here("dead/run"))
    assert runs.site.server.permissions(TRACKER) != before
    time.sleep(3)  # lease and the ttl for which a stranger watches it, and some more
    spans = {
        f"AIRFLOW__CODEBEAMER__{name.upper()}_SECONDS": str(span.total_seconds())
        for name, span in soon.items()
    }
    ended = runs.driver.ask(
        "run", dag_id="codebeamer_lock_janitor", env=runs.site.env() | spans
    )
    assert ended["state"] == "success", ended["log"]
    assert runs.site.server.permissions(TRACKER) == before
    assert runs.site.owners() == {}


def test_form_says_how_urgent_how_long_and_whether_to_skip(runs: Runs) -> None:
    seen: list[int] = []
    with connect(runs.site.settings()) as codebeamer:
        codebeamer.engine.acquire(TRACKER, owner=Owner.here("alice"))
        engine = codebeamer.engine
        watch = threading.Thread(target=_priorities, args=(codebeamer, seen))
        watch.start()
        answer = runs("template", wait_for="2s", priority=7, skip_if_locked=True)
        watch.join()
        engine.release(TRACKER, owner_key="alice")
    assert seen == [7]
    assert answer["state"] == "success", answer["log"]
    assert answer["tasks"] == {
        "plan": "success",
        "reserve": "success",
        "lock": "skipped",
        "generate": "skipped",
        "unlock": "success",
        "verify": "success",
    }
    assert runs.keys() == []


def _priorities(codebeamer: Codebeamer, seen: list[int]) -> None:
    until = time.monotonic() + 60
    while not seen and time.monotonic() < until:
        tickets = codebeamer.queue.list_tickets()
        seen.extend(ticket.priority for ticket in tickets)
        time.sleep(0.05)
