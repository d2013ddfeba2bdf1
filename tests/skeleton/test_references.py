"""Pointers at items, people and roles; statuses that take several steps."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_codebeamer.emulator import DEMO_STAKEHOLDER_ID
from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.skeleton import read_again, verify
from airflow_codebeamer.skeleton.flow import Flow


def item(key: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "name": f"N{key}", **more}


def pointed(rig: Any, name: str, field: str) -> list[str]:
    return [entry["name"] for entry in rig.item(name).get(field, [])]


def test_items_point_at_each_other_in_circles(rig):
    document = rig.document(
        item("A", fields={"Subject": [{"ref": "B"}, {"ref": "C"}]}),
        item("B", fields={"Subject": [{"ref": "A"}]}),
        item("C", seed={"Subject": {"ref": "C"}}),
    )
    wanted = rig.plan(document)
    rig.server.clear_calls()
    rig.apply(wanted)

    assert pointed(rig, "NA", "subjects") == ["NB", "NC"]
    assert pointed(rig, "NB", "subjects") == ["NA"]
    assert pointed(rig, "NC", "subjects") == ["NC"]
    # Three items and one request that closes the circles.
    assert len(rig.writes()) == 4 == wanted.requests - 2
    assert verify(wanted, read_again(rig.client, wanted.snapshot)) == []
    assert rig.plan(document).is_empty


def test_an_old_item_may_point_at_a_new_one_and_back_again(rig):
    rig.apply(rig.document(item("A")))
    run = rig.run()
    rig.apply(
        rig.document(item("A", fields={"Subject": {"ref": "B"}}), item("B")), run=run
    )
    assert pointed(rig, "NA", "subjects") == ["NB"]
    before = rig.client.requests_made
    assert rig.roll_back(run).left == ()
    assert rig.client.requests_made > before
    assert pointed(rig, "NA", "subjects") == []
    assert rig.tree() == ["NA"]


def test_people_roles_and_items_of_other_trackers(rig):
    need = rig.server.items(DEMO_STAKEHOLDER_ID)[0]
    value = {"fieldId": 10001, "type": "TextFieldValue", "value": "doors:STK-1"}
    path = f"/v3/items/{need['id']}/fields"
    assert rig.server.act("bond", "PUT", path, {"fieldValues": [value]}) == 200
    other = {"tracker": "Stakeholder Requirements", "key": "doors:STK-1"}
    document = rig.document(
        item(
            "A",
            fields={
                "Subject": [other, {"item": need["id"] + 1}],
                "Assigned to": [{"user": "alice"}, {"role": "Tester"}],
            },
        )
    )
    rig.apply(document)
    assert len(pointed(rig, "NA", "subjects")) == 2
    assert sorted(pointed(rig, "NA", "assignedTo")) == ["Tester", "alice"]
    assert rig.plan(document).is_empty


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("Subject", {"ref": "b"}, "no item has the key 'b'; did you mean 'B'?"),
        ("Subject", {"item": 77}, "there is no item 77, or this account may not see"),
        ("Subject", {"user": "alice"}, "'Subject' cannot point at a user"),
        ("Subject", "B", "takes {ref: …}, {item: …} or {tracker: …, key: …}"),
        ("Assigned to", {"user": "alcie"}, "the server knows no account 'alcie'"),
        ("Assigned to", {"role": "Testr"}, "no role 'Testr'; did you mean 'Tester'?"),
        ("Assigned to", "alice", "takes {user: …}, {role: …}, found the text 'alice'"),
        ("Unit", {"ref": "B"}, "'Unit' does not refer to anything or anybody"),
        (
            "Subject",
            {"tracker": "Stakeholder Requirement", "key": "x"},
            "did you mean 'Stakeholder Requirements'?",
        ),
        ("Subject", {"tracker": 2002, "key": "x"}, "has no item with the key 'x'"),
        ("Subject", {"tracker": 9, "key": "x"}, "tracker 9 cannot be read"),
    ],
)
def test_what_points_nowhere_is_said_with_its_place(rig, field, value, problem):
    document = rig.document(item("A", fields={field: value}), item("B"))
    with pytest.raises(DocumentError) as caught:
        rig.plan(document)
    assert caught.value.path in (
        f"items[0].fields.{field}",
        f'items[0].fields["{field}"]',
    )
    assert problem in caught.value.problem


def test_a_status_takes_the_shortest_way_for_all_items_together(rig):
    rig.apply(rig.document(*(item(str(n)) for n in range(130))))
    document = rig.document(
        *(item(str(n), fields={"Status": "Approved"}) for n in range(130))
    )
    wanted = rig.plan(document)
    assert wanted.waves == (130, 130)
    rig.server.clear_calls()
    run = rig.run()
    rig.apply(wanted, run=run)
    # Two steps of the workflow, two requests each at most.
    assert len(rig.writes()) <= 4
    assert {rig.item(f"N{n}")["status"]["name"] for n in range(130)} == {"Approved"}
    assert rig.plan(document).is_empty

    rig.server.clear_calls()
    assert rig.roll_back(run).left == ()
    assert {rig.item(f"N{n}")["status"]["name"] for n in range(130)} == {"New"}


def test_a_new_item_gets_its_status_on_the_way_that_the_workflow_has(rig):
    world = rig.server.world()
    world["assumptions"]["create_in_any_status"] = False
    rig.server.load_world(world)
    document = rig.document(
        item("A", seed={"Status": "Approved"}),
        item("B", fields={"Status": "New"}),
        item("C", fields={"Status": "In Review", "Unit": "m"}),
    )
    wanted = rig.plan(document)
    rig.apply(wanted)
    found = [rig.item(f"N{key}")["status"]["name"] for key in "ABC"]
    assert found == ["Approved", "New", "In Review"]
    assert verify(wanted, read_again(rig.client, wanted.snapshot)) == []


def only_steps(rig: Any, *steps: list[int]) -> None:
    """Leave only these steps in the workflows."""
    world = rig.server.world()
    for tracker in world["trackers"]:
        tracker["transitions"] = list(steps)
    rig.server.load_world(world)


def test_a_status_without_a_way_is_refused_before_anything_is_written(rig):
    rig.apply(rig.document(item("A", fields={"Status": "Approved"})))
    only_steps(rig, [0, 1], [1, 2], [2, 3])
    document = rig.document(item("A", fields={"Status": "In Review"}))
    with pytest.raises(DocumentError, match="'Approved' to 'In Review'") as caught:
        rig.plan(document)
    assert caught.value.path == "items[0].fields.Status"


def test_a_status_without_a_way_back_is_residue(rig):
    only_steps(rig, [0, 1], [1, 2])
    rig.apply(rig.document(item("A")))
    run = rig.run()
    rig.apply(
        rig.document(item("A", fields={"Status": "In Review", "Unit": "m"})), run=run
    )
    report = rig.roll_back(run)
    number = rig.item("NA")["id"]
    assert report.left == (
        f"A (item {number}): Status is 'In Review', and the workflow has no way back "
        "to 'New'",
    )
    assert "Unit" not in rig.custom("NA")


def test_the_shortest_way_is_the_same_whatever_the_order_of_steps():
    steps = [(1, 3), (1, 2), (3, 4), (2, 4), (0, 1)]
    assert Flow(steps).way(1, 4) == (2, 4)
    assert Flow(reversed(steps)).way(1, 4) == (2, 4)
    assert Flow(steps).way(4, 1) is None
    assert Flow(steps).way(1, 1) == ()
    assert Flow(steps).first == 1
    assert Flow([(0, 1), (0, 2)]).first is None
