"""What public documents say, each test with its source; the emulator has to do it.

The sources are pages of codebeamer.com (wiki), the vendor's description of
release 22.10 (spec), and its release notes.
"""

from __future__ import annotations

import pytest

from tests.contracts.asking import SUMMARY, Ask, Make, lock, rename
from tests.contracts.subject import Subject


@pytest.mark.documented(source="wiki 11375769: create")
def test_creating_answers_200_and_the_item(ask: Ask, made: Make) -> None:
    item = ask("getTrackerItem", itemId=made("A new item")).body
    assert item["name"] == "A new item"
    assert item["version"] == 1
    assert item["createdBy"]["type"] == "UserReference"
    assert item["createdAt"] == item["modifiedAt"]
    assert "Z" not in item["createdAt"]


@pytest.mark.documented(source="release notes 21.09: unknown properties")
def test_an_unknown_property_is_refused(ask: Ask, subject: Subject) -> None:
    said = ask(
        "createTrackerItem",
        trackerId=subject.tracker,
        body={"name": "x", "foo": 1},
    )
    assert said.status == 400
    assert 'Unrecognized field "foo"' in said.message


@pytest.mark.documented(source="spec: every error has message and resourceUri")
@pytest.mark.parametrize(
    ("operation", "given"),
    [
        ("getTrackerItem", {"itemId": 2_000_000_000}),
        ("getTracker", {"trackerId": 2_000_000_000}),
        ("getTrackerItemHistory", {"itemId": 2_000_000_000}),
        ("checkTrackerItemLock", {"itemId": 2_000_000_000}),
    ],
)
def test_what_is_not_there_is_404(
    ask: Ask, operation: str, given: dict[str, int]
) -> None:
    said = ask(operation, **given)
    assert said.status == 404
    assert isinstance(said.message, str)
    assert isinstance(said.body["resourceUri"], str)


@pytest.mark.documented(source="spec: pageSize is at most 500")
def test_a_page_has_at_most_500(ask: Ask, subject: Subject) -> None:
    where = {"trackerId": subject.tracker}
    assert ask("getItemsByTracker", **where, page=1, pageSize=500).status == 200
    assert ask("getItemsByTracker", **where, page=1, pageSize=501).status == 400


@pytest.mark.documented(source="wiki 11375769: list")
def test_pages_follow_each_other(ask: Ask, made: Make, subject: Subject) -> None:
    items = [made(f"Page {number}") for number in range(3)]
    seen: list[int] = []
    for page in range(1, 500):
        said = ask(
            "getItemsByTracker", trackerId=subject.tracker, page=page, pageSize=2
        )
        refs = said.body["itemRefs"]
        assert len(refs) <= 2
        assert said.body["page"] == page
        seen += [one["id"] for one in refs]
        if page * 2 >= said.body["total"]:
            break
    assert len(seen) == len(set(seen)) == said.body["total"]
    assert set(items) <= set(seen)


@pytest.mark.documented(source="wiki 871101: cbQL by POST and by GET")
def test_a_query_finds_by_number(ask: Ask, made: Make, subject: Subject) -> None:
    item = made("Found")
    text = f"tracker.id IN ({subject.tracker}) AND item.id = {item}"
    posted = ask("findTrackerItemsByCbQL", body={"queryString": text}).body
    got = ask("findTrackerItems", queryString=text, page=1, pageSize=25).body
    assert [one["name"] for one in posted["items"]] == ["Found"]
    assert got == posted


@pytest.mark.documented(source="wiki 11375769: fields PUT changes what it names")
def test_fields_change_only_what_they_name(ask: Ask, made: Make) -> None:
    item = made("Before")
    whole = ask("getTrackerItem", itemId=item).body
    assert rename(ask, item).status == 200
    after = ask("getTrackerItem", itemId=item).body
    assert after["name"] == "changed"
    assert after["version"] == whole["version"] + 1
    assert after["status"] == whole["status"]


@pytest.mark.documented(source="wiki 11375769: the whole-item PUT clears the rest")
def test_a_whole_put_without_status_is_no_transition(ask: Ask, made: Make) -> None:
    item = made("Whole")
    said = ask("updateTrackerItem", itemId=item, body={"name": "New name"})
    assert said.status == 400
    assert "is not defined for [" in said.message
    assert said.message.startswith("State transition from ")
    assert " to -- " in said.message


@pytest.mark.documented(source="wiki 11375769: the whole-item PUT clears the rest")
def test_a_whole_put_clears_what_it_leaves_out(ask: Ask, made: Make) -> None:
    item = made("Whole")
    text = {"fieldId": 80, "type": "WikiTextFieldValue", "value": "described"}
    ask("updateCustomFieldTrackerItem", itemId=item, body={"fieldValues": [text]})
    whole = ask("getTrackerItem", itemId=item).body
    assert whole["description"] == "described"
    body = {"name": "Whole", "status": whole["status"]}
    assert ask("updateTrackerItem", itemId=item, body=body).status == 200
    assert not ask("getTrackerItem", itemId=item).body.get("description")


@pytest.mark.documented(source="spec: history lists each version and its changes")
def test_history_has_each_version(ask: Ask, made: Make) -> None:
    item = made("First")
    rename(ask, item)
    versions = ask("getTrackerItemHistory", itemId=item).body["versions"]
    assert sorted(one["itemRevision"]["version"] for one in versions) == [1, 2]
    (change,) = max(versions, key=lambda one: one["itemRevision"]["version"])["changes"]
    assert change["oldValue"]["value"] == "First"
    assert change["newValue"]["value"] == "changed"


@pytest.mark.documented(source="spec: an item at a version")
def test_an_old_version_can_be_read(ask: Ask, made: Make) -> None:
    item = made("First")
    rename(ask, item)
    assert ask("getTrackerItem", itemId=item, version=1).body["name"] == "First"


@pytest.mark.documented(source="wiki 11375769: bulk update, all well")
def test_a_bulk_update(ask: Ask, made: Make) -> None:
    items = [made(), made()]
    body = [{"itemId": item, "fieldValues": [SUMMARY]} for item in items]
    said = ask("bulkUpdateTrackerItemFields", body=body)
    assert said.status == 200
    assert said.body["successfulOperationsCount"] == 2
    assert not said.body.get("failedOperations")


@pytest.mark.documented(source="wiki 11375769: bulk update, not atomic by default")
def test_a_bulk_update_that_fails_in_part(ask: Ask, made: Make) -> None:
    item = made()
    numbers = (item, 2_000_000_000)
    body = [{"itemId": one, "fieldValues": [SUMMARY]} for one in numbers]
    said = ask("bulkUpdateTrackerItemFields", body=body)
    assert said.status == 200
    assert said.body["successfulOperationsCount"] == 1
    (failed,) = said.body["failedOperations"]
    assert failed["id"] == 2_000_000_000
    assert "exceptionMessage" in failed
    assert ask("getTrackerItem", itemId=item).body["name"] == "changed"


@pytest.mark.documented(source="wiki 11375769: atomic bulk update")
def test_an_atomic_bulk_update_changes_all_or_none(ask: Ask, made: Make) -> None:
    item = made("Untouched")
    numbers = (item, 2_000_000_000)
    body = [{"itemId": one, "fieldValues": [SUMMARY]} for one in numbers]
    said = ask("bulkUpdateTrackerItemFields", atomic=True, body=body)
    assert said.status >= 400
    assert said.message == "At least one update failed"
    assert said.body["failedOperations"]
    assert ask("getTrackerItem", itemId=item).body["name"] == "Untouched"


@pytest.mark.documented(source="spec: children GET, PUT, POST, PATCH")
def test_children_have_an_order(ask: Ask, made: Make) -> None:
    parent = made()
    items = [made(parentItemId=parent) for _ in range(3)]

    def order() -> list[int]:
        said = ask("findTrackerItemChildren", itemId=parent, page=1, pageSize=25)
        return [one["id"] for one in said.body["itemRefs"]]

    assert order() == items
    turned = [{"id": item, "type": "TrackerItemReference"} for item in reversed(items)]
    body = {"children": turned}
    said = ask("replaceChildrenOfTrackerItem", itemId=parent, body=body)
    assert said.status == 200, said.body
    assert order() == items[::-1]
    entry = {"id": items[0], "type": "TrackerItemReference"}
    said = ask(
        "patchChildrenOfTrackerItem",
        itemId=parent,
        mode="INSERT",
        body={"itemReference": entry, "index": 0},
    )
    assert said.status == 200, said.body
    assert order() == [items[0], items[2], items[1]]


@pytest.mark.documented(source="release notes 20.11-SP4: delete moves to the trash")
def test_a_deleted_item_is_gone_and_deleting_answers_it(ask: Ask, made: Make) -> None:
    item = made("Gone")
    said = ask("deleteTrackerItem", itemId=item)
    assert (said.status, said.body["name"]) == (200, "Gone")
    assert ask("getTrackerItem", itemId=item).status == 404


@pytest.mark.documented(source="spec: the item lock", needs="other")
def test_a_lock_keeps_others_out_until_it_is_given_back(ask: Ask, made: Make) -> None:
    item = made()
    assert ask("checkTrackerItemLock", itemId=item).body is None
    said = lock(ask, item, hard=True)
    assert (said.status, said.body) == (200, None)
    shown = ask("checkTrackerItemLock", who="other", itemId=item).body
    assert shown["user"]["type"] == "UserReference"
    assert not shown["expires"]
    assert rename(ask, item, who="other").status == 423
    assert lock(ask, item, who="other", hard=True).status == 403
    assert ask("unlockTrackerItem", who="other", itemId=item).status == 403
    assert ask("unlockTrackerItem", itemId=item).status == 200
    assert rename(ask, item, who="other").status == 200


@pytest.mark.documented(source="spec: permissions of a role are replaced", needs="role")
def test_setting_permissions_replaces_them(ask: Ask, subject: Subject) -> None:
    where = {"trackerId": subject.tracker}
    roles = ask("getRoles").body
    (number,) = [r["id"] for r in roles if r["name"] == subject.role]

    def held() -> list[int]:
        return sorted(
            one["id"]
            for entry in ask("getTrackerPermissionsWithRoles", **where).body
            if entry["role"]["id"] == number
            for one in entry["trackerPermissions"]
        )

    before = held()
    try:
        for wanted in ([0, 8], [0]):
            body = {"permissions": [{"id": one} for one in wanted]}
            said = ask("updatePermission", **where, roleId=number, body=body)
            assert said.status == 200
            assert held() == wanted
    finally:
        body = {"permissions": [{"id": one} for one in before]}
        ask("updatePermission", **where, roleId=number, body=body)
    assert held() == before


@pytest.mark.documented(source="spec: the list of permissions")
def test_permissions_have_numbers_and_names(ask: Ask) -> None:
    names = {one["id"]: one["name"] for one in ask("getTrackerPermissions").body}
    assert names[0] == "issue_view_not_own"
    assert names[1] == "issue_edit_not_own"
    assert names[2] == "issue_view"
    assert ask("getTrackerPermission", trackerPermissionId=1).body["id"] == 1


@pytest.mark.documented(source="spec: the schema of a tracker")
def test_a_tracker_tells_its_fields(ask: Ask, subject: Subject) -> None:
    schema = ask("getTrackerSchema", trackerId=subject.tracker).body
    fields = {one["id"]: one for one in schema}
    assert fields[3]["type"] == "TextField"
    assert fields[3]["trackerItemField"] == "name"
    tracker = ask("getTracker", trackerId=subject.tracker).body
    assert tracker["project"]["type"] == "ProjectReference"


@pytest.mark.documented(source="release notes 20.11: finding a user by name")
def test_one_finds_oneself_by_name(ask: Ask, subject: Subject) -> None:
    name = subject.accounts["user"].name
    found = ask("getUserByName", name=name).body
    assert ask("getUser", userId=found["id"]).body["name"] == name
