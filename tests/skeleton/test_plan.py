from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_codebeamer.errors import PlanConflictError
from airflow_codebeamer.skeleton import plan, read_snapshot


def item(key: str, *children: Any, **more: Any) -> dict[str, Any]:
    return {"key": key, "name": f"N{key}", "children": list(children), **more}


@pytest.fixture
def edited(rig):
    """Items A and B, both written by us; alice has changed A's unit since."""
    rig.apply(
        rig.document(
            item("A", fields={"Unit": "V", "Length": 1}),
            item("B", fields={"Unit": "V"}),
        )
    )
    values = [{"fieldId": 10002, "type": "TextFieldValue", "value": "mV"}]
    number = rig.item("NA")["id"]
    path = f"/v3/items/{number}/fields"
    assert rig.server.act("alice", "PUT", path, {"fieldValues": values}) == 200
    return number


def wanted(rig, policy: str, **more: Any):
    return rig.document(
        item("A", fields={"Unit": "V", "Length": 1}, **more),
        item("B", fields={"Unit": "A"}),
        policy={"foreign_edit": policy},
    )


def test_a_foreign_edit_fails_the_plan_and_says_who(rig, edited):
    with pytest.raises(PlanConflictError) as caught:
        rig.plan(wanted(rig, "fail"))
    assert caught.value.conflicts == (
        f"A (item {edited}): Unit is 'mV', last changed by alice, the document wants"
        " 'V'",
    )


def test_a_foreign_edit_can_be_kept(rig, edited):
    document = wanted(rig, "keep")
    kept = rig.plan(document)

    assert [update.key for update in kept.updates] == ["B"]
    assert kept.counts["kept"] == 1
    assert "alice" in kept.warnings[0]
    rig.apply(kept)
    assert rig.custom("NA")["Unit"] == "mV"
    assert rig.plan(document).is_empty


def test_a_foreign_edit_can_be_overwritten(rig, edited):
    rig.apply(wanted(rig, "overwrite"))
    assert rig.custom("NA")["Unit"] == "V"


def test_a_protected_item_keeps_foreign_edits_whatever_the_policy(rig, edited):
    for policy in ("fail", "keep", "overwrite"):
        kept = rig.plan(wanted(rig, policy, protect=True))
        assert [update.key for update in kept.updates] == ["B"]


def test_an_edit_of_what_is_not_ours_is_no_conflict(rig, edited):
    document = rig.document(item("A", fields={"Length": 1}), item("B"))
    assert rig.plan(document).is_empty


def test_another_account_may_be_ours(rig, edited):
    document = wanted(rig, "fail")
    snapshot = read_snapshot(rig.client, rig.tracker_id, document, account="alice")
    with pytest.raises(PlanConflictError, match="last changed by generator"):
        plan(document, snapshot)


def test_log_ins_have_no_case(rig, edited):
    document = wanted(rig, "fail")
    snapshot = read_snapshot(rig.client, rig.tracker_id, document, account="Generator")
    with pytest.raises(PlanConflictError) as caught:
        plan(document, snapshot)
    assert len(caught.value.conflicts) == 1


def test_items_that_left_the_document_are_reported_and_stay(rig):
    rig.apply(rig.document(item("A", item("B")), identity={"prefix": "x:"}))
    rig.apply(rig.document(item("C"), identity={"prefix": "y:"}))

    left = rig.plan(rig.document(item("A"), identity={"prefix": "x:"}))

    assert left.is_empty
    assert [found.key for found in left.gone] == ["x:B"]
    assert left.counts["gone"] == 1
    number = rig.item("NB")["id"]
    assert left.warnings == (f"not in the document any more: x:B (item {number})",)
    assert rig.custom("NA")["External ID"] == "x:A"


def test_defaults_are_owned_unless_the_item_says_otherwise(rig):
    rig.apply(
        rig.document(
            item("A"),
            item("B", type="Folder", fields={"Unit": "A"}),
            item("C", seed={"Unit": None}),
            defaults={"Type": "Requirement", "Unit": "V"},
        )
    )
    assert rig.custom("NA")["Unit"] == "V"
    assert rig.custom("NB")["Unit"] == "A"
    assert "Unit" not in rig.custom("NC")
    assert [c["name"] for c in rig.item("NA")["categories"]] == ["Requirement"]
    assert [c["name"] for c in rig.item("NB")["categories"]] == ["Folder"]


def test_text_json_and_digest_say_the_same(rig):
    rig.apply(rig.document(item("A", fields={"Unit": "V"}), item("B"), item("G")))
    document = rig.document(
        item("B", item("New")), item("A", fields={"Unit": "mV"}), item("X")
    )
    made = rig.plan(document)
    first, gone = rig.item("NA")["id"], rig.item("NG")["id"]
    second = rig.item("NB")["id"]

    assert made.text().splitlines() == [
        "Tracker 2001: 2 to create, 1 to update, 1 parents to reorder, 1 unchanged,"
        " 1 not in the document any more; 6 requests",
        f"+ New: 'NNew' below item {second}",
        "+ X: 'NX' below the top",
        f"~ A (item {first}): Unit 'V' → 'mV'",
        "= order below the top",
        f"! not in the document any more: G (item {gone})",
    ]
    shown = json.loads(json.dumps(made.to_json()))
    assert shown["counts"] == made.counts
    assert [step["step"] for step in shown["steps"]] == [
        "create",
        "create",
        "update",
        "reorder",
    ]
    assert made.digest == rig.plan(document).digest
    other = rig.plan(rig.document(item("B"), item("A", fields={"Unit": "uV"})))
    assert made.digest != other.digest


def test_long_plans_are_cut(rig):
    made = rig.plan(rig.document(*(item(f"{n}") for n in range(30))))
    assert made.text(limit=3).splitlines()[-1] == "  … and 27 more"
    assert "nothing" in rig.plan(rig.document()).text()


@pytest.mark.parametrize(
    ("second", "minute", "seconds"),
    [(None, None, 0), (2, None, 101), (2, 120, 101), (3, 60, 142), (None, 120, 41)],
)
def test_seconds_follow_the_pace(rig, second, minute, seconds):
    made = rig.plan(rig.document(*(item(f"{n}") for n in range(200))))
    assert made.requests == 202
    assert made.seconds(second, minute) == pytest.approx(seconds)


def test_planning_twenty_thousand_flat_items_is_quick(rig):
    items = [{"key": f"{n}", "name": f"{n}"} for n in range(20_000)]
    made = rig.plan(rig.document(*items))
    assert made.counts["created"] == 20_000
    assert made.requests == 20_041
    assert made.creates[-1].reference == "19998"
