"""Field updates: one field of all items, of some, row by row."""

from __future__ import annotations

from math import ceil
from typing import Any

import pytest

from airflow_codebeamer.emulator import ALL_PERMISSIONS, WorldBuilder
from airflow_codebeamer.errors import (
    DocumentError,
    PlanConflictError,
    SkeletonError,
)
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.skeleton import load_document, plan, read_snapshot, verify
from airflow_codebeamer.skeleton.look import read_again


def load_items(rig: Any, count: int) -> TrackerId:
    """Load a world with a flat tracker that somebody else has filled."""
    builder = WorldBuilder()
    builder.user("bond", system_admin=True)
    account = builder.user("generator")
    project = builder.project("Brake System", "BRK")
    role = builder.role(project, "Generator", trackers_admin=True)
    builder.member(project, account, role)
    tracker = builder.tracker(
        project, "Requirements", "REQ", permissions={role: ALL_PERMISSIONS}
    )
    other = builder.tracker(project, "Other", "OTH", permissions={role: [0]})
    builder.item(other, "Elsewhere")
    for number in range(count):
        builder.item(tracker, f"R{number}", fields={"Unit": "m", "Length": number % 3})
    rig.server.load_world(builder.build())
    return TrackerId(tracker)


def update(tracker: int, **more: Any) -> Any:
    head = {"kind": "update", "owner": "release", "target": {"tracker": tracker}}
    return load_document({**head, **more})


def wanted(rig: Any, tracker: TrackerId, **more: Any) -> Any:
    document = update(tracker, **more)
    return plan(document, read_snapshot(rig.client, tracker, document))


def units(rig: Any, tracker: TrackerId) -> list[Any]:
    return [
        next((v["value"] for v in i["customFields"] if v["name"] == "Unit"), None)
        for i in rig.server.items(tracker)
    ]


def run_on(rig: Any, tracker: TrackerId) -> Any:
    return type(rig.run())(**{**vars(rig.run()), "tracker_id": tracker})


def test_one_field_of_all_items_costs_a_request_for_every_100_and_fewer(rig):
    tracker = load_items(rig, 2100)
    sent = rig.client.requests_made
    found = wanted(rig, tracker, set={"Unit": "km"})
    assert rig.client.requests_made - sent == 1 + ceil(2100 / 500)
    assert len(found.updates) == 2100

    rig.server.clear_calls()
    rig.apply(found, run=run_on(rig, tracker))

    sizes = [int(call["path"] == "") for call in rig.calls("PUT")]
    # 100, 200, 400, 500, 500, 400: fewer than one for every 100.
    assert len(sizes) == 6 <= ceil(2100 / 100)
    assert units(rig, tracker) == ["km"] * 2100
    again = read_again(rig.client, found.snapshot)
    assert verify(found, again) == []
    assert plan(found.document, again).is_empty


def test_only_what_differs_is_written_and_people_s_values_are_overwritten(rig):
    tracker = load_items(rig, 6)
    found = wanted(rig, tracker, set={"Length": 1, "Unit": "m"})
    # Two of the six have it already.
    assert found.counts["updated"] == 4
    assert found.counts["unchanged"] == 2
    assert {change.field_id for step in found.updates for change in step.changes} == {
        10009
    }


@pytest.mark.parametrize(("policy", "kept"), [("fail", None), ("keep", 6)])
def test_an_update_may_be_told_to_respect_what_people_wrote(rig, policy, kept):
    tracker = load_items(rig, 6)
    told = {"set": {"Unit": "km"}, "policy": {"foreign_edit": policy}}
    if kept is None:
        with pytest.raises(PlanConflictError, match="last changed by bond"):
            wanted(rig, tracker, **told)
    else:
        assert wanted(rig, tracker, **told).counts["kept"] == kept


def test_where_narrows_and_may_not_widen(rig):
    tracker = load_items(rig, 3)
    found = wanted(rig, tracker, where="name IN ('R1', 'R2')", set={"Unit": "km"})
    rig.apply(found, run=run_on(rig, tracker))
    assert units(rig, tracker) == ["m", "km", "km"]

    with pytest.raises(DocumentError, match=r"where: .* outside of tracker"):
        wanted(
            rig,
            tracker,
            where=f"name = 'x') OR (tracker.id = {tracker + 1}",
            set={"Unit": "km"},
        )


def test_rows_by_number_read_only_their_items(rig):
    tracker = load_items(rig, 700)
    numbers = [item["id"] for item in rig.server.items(tracker)]
    rows = [{"item": n, "fields": {"Length": 7}} for n in numbers[:2]]
    rig.server.clear_calls()
    found = wanted(rig, tracker, rows=rows)
    assert len(rig.calls("POST")) == 1
    rig.apply(found, run=run_on(rig, tracker))
    lengths = [i["version"] for i in rig.server.items(tracker)]
    assert lengths == [2, 2] + [1] * 698


def test_rows_go_over_set_and_find_items_by_key(rig):
    rig.apply(
        rig.document(
            {"key": "a", "name": "A"},
            {"key": "b", "name": "B"},
            identity={"prefix": "x:"},
        )
    )
    document = update(
        rig.tracker_id,
        identity={"prefix": "x:"},
        set={"Unit": "m"},
        rows=[{"key": "b", "fields": {"Unit": "km", "Length": 3}}],
    )
    rig.apply(plan(document, read_snapshot(rig.client, rig.tracker_id, document)))
    assert rig.custom("A")["Unit"] == "m"
    assert rig.custom("B") == {**rig.custom("B"), "Unit": "km", "Length": 3}


@pytest.mark.parametrize(
    ("rows", "path", "problem"),
    [
        ([{"item": 9, "fields": {"Unit": "m"}}], "rows[0]", "there is no item 9"),
        ([{"key": "z", "fields": {"Unit": "m"}}], "rows[0]", "carries the key 'z'"),
        (
            [{"item": 9, "fields": {"Unti": "m"}}],
            "rows[0].fields.Unti",
            "did you mean 'Unit'?",
        ),
    ],
)
def test_rows_that_fit_nothing(rig, rows, path, problem):
    with pytest.raises(DocumentError) as caught:
        wanted(rig, rig.tracker_id, rows=rows)
    assert caught.value.path == path
    assert problem in caught.value.problem


def test_an_update_is_rolled_back(rig):
    tracker = load_items(rig, 250)
    before = units(rig, tracker)
    found = wanted(rig, tracker, set={"Unit": "km", "Summary": "all the same"})
    run = run_on(rig, tracker)
    rig.apply(found, run=run)
    assert {item["name"] for item in rig.server.items(tracker)} == {"all the same"}

    report = rig.roll_back(run)

    assert report.left == ()
    assert units(rig, tracker) == before
    names = [item["name"] for item in rig.server.items(tracker)]
    assert names == [f"R{n}" for n in range(250)]


def test_a_bulk_that_a_server_cannot_do_is_cut_in_halves(rig):
    tracker = load_items(rig, 60)
    found = wanted(rig, tracker, set={"Unit": "km"})
    for nth in (1, 2):
        rig.server.add_fault(
            {
                "kind": "status",
                "status": 504,
                "phase": "before",
                "operation": "bulkUpdateTrackerItemFields",
                "nth": nth,
            }
        )
    rig.apply(found, run=run_on(rig, tracker))
    assert units(rig, tracker) == ["km"] * 60
    assert len(rig.calls("PUT")) == 5  # 60, 30, 15, 15, 30


def test_items_that_somebody_edits_are_written_when_he_has_finished(rig):
    tracker = load_items(rig, 40)
    numbers = [item["id"] for item in rig.server.items(tracker)]
    for number in numbers[:3]:
        lock = f"/v3/items/{number}/lock"
        assert rig.server.act("bond", "PUT", lock, {"hard": True}) == 200
    found = wanted(rig, tracker, set={"Unit": "km"})
    slept: list[float] = []
    sleep = rig.clock.sleep

    def finish(seconds: float) -> None:
        slept.append(seconds)
        sleep(seconds)
        if len(slept) == 2:
            for number in numbers[:3]:
                rig.server.act("bond", "DELETE", f"/v3/items/{number}/lock")

    rig.clock.sleep = finish
    rig.server.clear_calls()
    rig.apply(found, run=run_on(rig, tracker))

    assert units(rig, tracker) == ["km"] * 40
    versions = [item["version"] for item in rig.server.items(tracker)]
    assert versions == [2] * 40  # nobody was written twice
    assert len(slept) == 2


def test_who_never_finishes_stops_the_run_by_name(rig):
    tracker = load_items(rig, 3)
    number = rig.server.items(tracker)[1]["id"]
    lock = f"/v3/items/{number}/lock"
    assert rig.server.act("bond", "PUT", lock, {"hard": True}) == 200
    found = wanted(rig, tracker, set={"Unit": "km"})
    with pytest.raises(SkeletonError, match=rf"item {number}\): somebody is editing"):
        rig.apply(found, run=run_on(rig, tracker))
