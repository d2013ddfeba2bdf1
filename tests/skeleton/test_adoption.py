"""Items that stood there before: found by their path once, then by their key."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_codebeamer.errors import DocumentError, PlanConflictError

BY_PATH = {"field": "External ID", "adopt": "by_path"}

#: A tree that people made: two folders of one name are in different places.
BY_HAND = [
    {"key": "h1", "name": "Frame"},
    {"key": "h2", "name": "Speed", "parent": "h1", "fields": {"Unit": "m"}},
    {"key": "h3", "name": "Other"},
    {"key": "h4", "name": "Speed", "parent": "h3"},
]


@pytest.fixture
def by_hand(rig: Any) -> Any:
    """Return the rig with items that carry no key any more."""
    rig.apply(rig.plan(rig.document(*BY_HAND)))
    for item in rig.server.items(rig.tracker_id):
        field = next(f for f in item["customFields"] if f["name"] == "External ID")
        body = {"fieldValues": [{**field, "type": "TextFieldValue", "value": ""}]}
        path = f"/v3/items/{item['id']}/fields"
        assert rig.server.act("alice", "PUT", path, body) == 200
    return rig


def wanted(rig: Any, **more: Any) -> Any:
    return rig.document(
        {"key": "f", "name": "Frame"},
        {"key": "f/s", "name": "Speed", "parent": "f", "fields": {"Unit": "m"}},
        {"key": "f/n", "name": "New", "parent": "f"},
        **{"identity": BY_PATH, **more},
    )


def keys(rig: Any) -> dict[str, str]:
    return {
        f"{item.get('parent', {}).get('name', '')}/{item['name']}": next(
            (f["value"] for f in item["customFields"] if f["name"] == "External ID"), ""
        )
        for item in rig.server.items(rig.tracker_id)
    }


def test_items_get_their_keys_and_are_found_by_them(by_hand: Any) -> None:
    plan = by_hand.plan(wanted(by_hand))
    assert [create.key for create in plan.creates] == ["f/n"]
    assert [(u.key, len(u.changes)) for u in plan.updates] == [("f", 1), ("f/s", 1)]
    by_hand.apply(plan)
    assert keys(by_hand) == {
        "/Frame": "f",
        "Frame/Speed": "f/s",
        "Frame/New": "f/n",
        "/Other": "",
        "Other/Speed": "",
    }
    again = by_hand.document(
        {"key": "f", "name": "Renamed"},
        {"key": "f/s", "name": "Speed", "parent": "f", "fields": {"Unit": "m"}},
        {"key": "f/n", "name": "New", "parent": "f"},
        identity=BY_PATH,
    )
    plan = by_hand.plan(again)
    assert (len(plan.creates), [u.key for u in plan.updates]) == (0, ["f"])


def test_without_it_they_are_somebody_else_s(by_hand: Any) -> None:
    identity = {"field": "External ID"}
    plan = by_hand.plan(wanted(by_hand, identity=identity))
    assert (len(plan.creates), len(plan.updates)) == (3, 0)


def test_a_rollback_takes_the_keys_off_again(by_hand: Any) -> None:
    before = keys(by_hand)
    run = by_hand.run()
    by_hand.apply(by_hand.plan(wanted(by_hand)), run=run)
    report = by_hand.roll_back(run)
    assert report.left == ()
    assert {path: key or "" for path, key in keys(by_hand).items()} == before


def test_what_people_wrote_in_them_is_an_edit_like_any_other(by_hand: Any) -> None:
    def document(**policy: Any) -> Any:
        return by_hand.document(
            {"key": "f", "name": "Frame"},
            {"key": "s", "name": "Speed", "parent": "f", "fields": {"Unit": "km"}},
            identity=BY_PATH,
            policy=policy,
        )

    path = f"/v3/items/{by_hand.item('Frame')['children'][0]['id']}/fields"
    unit = next(
        field
        for field in by_hand.server.items(by_hand.tracker_id)[1]["customFields"]
        if field["name"] == "Unit"
    )
    body = {"fieldValues": [{**unit, "type": "TextFieldValue", "value": "ft"}]}
    assert by_hand.server.act("alice", "PUT", path, body) == 200
    with pytest.raises(PlanConflictError, match="Unit is 'ft'"):
        by_hand.plan(document())
    kept = by_hand.plan(document(foreign_edit="keep"))
    assert len(kept.kept) == 1
    assert [len(update.changes) for update in kept.updates] == [1, 1]
    over = by_hand.plan(document(foreign_edit="overwrite"))
    assert [len(update.changes) for update in over.updates] == [1, 2]


def test_what_is_not_clear_is_refused(by_hand: Any) -> None:
    twice = [{"key": "a", "name": "Frame"}, {"key": "b", "name": "Frame"}]
    with pytest.raises(DocumentError, match=r"items\[1\]: .* adopted here and at"):
        by_hand.plan(by_hand.document(*twice, identity=BY_PATH))
    by_hand.apply(by_hand.plan(by_hand.document({"key": "x", "name": "Frame"})))
    copy = by_hand.server.items(by_hand.tracker_id)[-1]
    assert copy["name"] == "Frame"
    field = next(f for f in copy["customFields"] if f["name"] == "External ID")
    body = {"fieldValues": [{**field, "type": "TextFieldValue", "value": ""}]}
    path = f"/v3/items/{copy['id']}/fields"
    assert by_hand.server.act("alice", "PUT", path, body) == 200
    with pytest.raises(DocumentError, match="2 items of the name 'Frame'"):
        by_hand.plan(wanted(by_hand))
