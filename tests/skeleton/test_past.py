"""Whose value a field holds: the server's history is the base of the merge."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_codebeamer.errors import PlanConflictError

UNIT, LENGTH = 10002, 10009


def document(rig: Any, policy: str = "fail", **fields: Any) -> Any:
    items = [
        {"key": "A", "name": "NA", "fields": fields},
        {"key": "B", "name": "NB", "fields": fields},
    ]
    return rig.document(*items, policy={"foreign_edit": policy})


def edit(
    rig: Any, field: int, value: Any, who: str = "alice", name: str = "NA"
) -> None:
    kind = "TextFieldValue" if field == UNIT else "IntegerFieldValue"
    body = {"fieldValues": [{"fieldId": field, "type": kind, "value": value}]}
    path = f"/v3/items/{rig.item(name)['id']}/fields"
    assert rig.server.act(who, "PUT", path, body) == 200


@pytest.fixture
def filled(rig: Any) -> Any:
    rig.apply(document(rig, Unit="m", Length=1))
    rig.server.clear_calls()
    return rig


def histories(rig: Any) -> int:
    return sum(call["path"].endswith("/history") for call in rig.calls("GET"))


def test_an_edit_of_another_field_is_no_conflict(filled):
    edit(filled, LENGTH, 9)
    wanted = filled.plan(document(filled, Unit="km"))
    assert wanted.counts["updated"] == 2
    assert histories(filled) == 1


def test_an_edit_of_the_field_is(filled):
    edit(filled, UNIT, "mile")
    with pytest.raises(PlanConflictError, match="'mile', last changed by alice"):
        filled.plan(document(filled, Unit="km"))
    with pytest.raises(PlanConflictError):
        filled.plan(document(filled, Unit="m"))


def test_an_edit_taken_back_is_none(filled):
    edit(filled, UNIT, "mile")
    edit(filled, UNIT, "m", who="bond")
    assert filled.plan(document(filled, Unit="km")).counts["updated"] == 2


def test_an_edit_to_what_the_document_wants_costs_nothing(filled):
    edit(filled, UNIT, "km")
    edit(filled, UNIT, "km", name="NB")
    assert filled.plan(document(filled, Unit="km")).is_empty
    assert histories(filled) == 0


def test_what_was_kept_stays_kept_when_we_are_the_last_editor(filled):
    edit(filled, UNIT, "mile")
    for length in (2, 3):
        wanted = filled.plan(document(filled, "keep", Unit="m", Length=length))
        assert wanted.counts["kept"] == 1
        filled.apply(wanted)
        assert filled.item("NA")["modifiedBy"]["name"] == "generator"
        assert filled.custom("NA")["Unit"] == "mile"
        assert filled.custom("NA")["Length"] == length
    assert filled.plan(document(filled, "overwrite", Unit="m")).counts["updated"] == 1


def test_a_moved_item_stays_kept_too(filled):
    edit(filled, UNIT, "mile")
    moved = filled.document(
        {"key": "B", "name": "NB", "fields": {"Unit": "m"}},
        {"key": "A", "name": "NA", "parent": "B", "fields": {"Unit": "m"}},
        policy={"foreign_edit": "keep"},
    )
    filled.apply(moved)
    assert filled.item("NA")["modifiedBy"]["name"] == "generator"
    again = filled.plan(moved)
    assert again.is_empty
    assert again.counts["kept"] == 1


def test_without_the_history_the_last_editor_decides(filled):
    edit(filled, LENGTH, 9)
    filled.server.add_fault(
        {"kind": "status", "status": 403, "operation": "getTrackerItemHistory"}
    )
    with pytest.raises(PlanConflictError, match="last changed by alice"):
        filled.plan(document(filled, Unit="km"))


def test_what_our_account_never_wrote_is_somebody_else_s(rig):
    path = f"/v3/trackers/{rig.tracker_id}/items"
    custom = [{"fieldId": 10001, "type": "TextFieldValue", "value": "A"}]
    body = {"name": "NA", "customFields": custom}
    assert rig.server.act("bond", "POST", path, body) == 200
    wanted = rig.document({"key": "A", "name": "NA", "fields": {"Unit": "m"}})
    with pytest.raises(PlanConflictError, match="Unit is empty"):
        rig.plan(wanted)
