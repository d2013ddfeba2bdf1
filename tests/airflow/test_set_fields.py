"""One field of all items as one operator: the same requests as a document needs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_codebeamer.emulator import ALL_PERMISSIONS, WorldBuilder
from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.operators import (
    LockTrackerOperator,
    SetFieldsOperator,
    UnlockTrackerOperator,
)

RUN = "fill/manual/1"
CONTEXT: Any = {"ti": SimpleNamespace(dag_id="fill", run_id="manual/1", map_index=-1)}


def test_one_field_of_3000_items_by_one_argument(here: Any) -> None:
    tracker = filled(here, 3000)
    lock = LockTrackerOperator(task_id="lock", tracker_id=tracker)
    handle = lock.execute(CONTEXT)
    here.server.clear_calls()
    work = SetFieldsOperator(task_id="set", fields={"Unit": "km"}, lock=handle)
    said = work.execute(CONTEXT)
    assert said["updated"] == 3000
    # The schema, six pages, eight bulk updates, and six pages to read back.
    assert len(here.server.calls()) == said["requests"] == 1 + 6 + 8 + 6 <= 22
    units = {item["customFields"][0]["value"] for item in here.server.items(tracker)}
    assert units == {"km"}
    assert work.execute(CONTEXT)["run_id"] == ""
    UnlockTrackerOperator(task_id="unlock").execute(CONTEXT)
    assert here.owners() == {}


def test_some_items_and_what_people_wrote(here: Any) -> None:
    tracker = filled(here, 3)
    handle = LockTrackerOperator(task_id="lock", tracker_id=tracker).execute(CONTEXT)

    def run(**given: Any) -> dict[str, Any]:
        work = SetFieldsOperator(task_id="set", lock=handle, **given)
        said: dict[str, Any] = work.execute(CONTEXT)
        return said

    some = run(fields='{"Unit": "km"}', where="summary = 'R1'")
    assert (some["updated"], some["unchanged"]) == (1, 0)
    kept = run(fields={"Unit": "mm"}, foreign_edit="keep")
    assert (kept["updated"], len(kept["warnings"])) == (1, 2)
    with pytest.raises(AirflowFailException, match="last changed by"):
        run(fields={"Unit": "cm"}, foreign_edit="fail")
    with pytest.raises(AirflowFailException, match="did you mean 'Unit'"):
        run(fields={"Units": "km"})
    with pytest.raises(AirflowFailException, match="JSON object"):
        run(fields="km")
    with pytest.raises(ConfigurationError, match="leave it out"):
        run(fields={}, generator="a:b")


def test_a_plan_of_it_writes_nothing(here: Any) -> None:
    work = SetFieldsOperator(
        task_id="set",
        fields={"Unit": "km"},
        tracker_id=TrackerId(filled(here, 7)),
        mode="plan",
    )
    assert work.execute(CONTEXT)["updated"] == 7
    assert here.owners() == {}


def filled(here: Any, count: int) -> int:
    """Load a world with a flat tracker that somebody else has filled."""
    builder = WorldBuilder()
    builder.user("bond", system_admin=True)
    account = builder.user("generator", password=here.secret)
    project = builder.project("Brake System", "BRK")
    role = builder.role(project, "Generator", trackers_admin=True)
    builder.member(project, account, role)
    tracker = builder.tracker(project, "R", "REQ", permissions={role: ALL_PERMISSIONS})
    for number in range(count):
        builder.item(tracker, f"R{number}", fields={"Unit": "m"})
    here.server.load_world(builder.build())
    return int(tracker)
