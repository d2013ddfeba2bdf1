from __future__ import annotations

import pytest

from airflow_codebeamer.emulator import DEMO_TRACKER_ID
from airflow_codebeamer.errors import (
    BadRequestError,
    ContractError,
    ForbiddenError,
    ItemLockedError,
    NotFoundError,
    OutcomeUnknownError,
    ServerError,
)
from airflow_codebeamer.ids import FieldId, ItemId, TrackerId
from airflow_codebeamer.models import FieldValue, ItemPatch, NewItem, Place

TRACKER = TrackerId(DEMO_TRACKER_ID)
ALL = f"tracker.id IN ({DEMO_TRACKER_ID})"


@pytest.fixture
def external_id(client):
    fields = {field.name: field.id for field in client.trackers.list_schema(TRACKER)}
    return FieldId(fields["External ID"])


@pytest.fixture
def make(client):
    def create(name, parent=None, **place):
        item = client.items.create_item(TRACKER, NewItem(name), Place(parent, **place))
        return item.id

    return create


def text(field, value):
    return FieldValue(
        field_id=field, name="External ID", type="TextFieldValue", value=value
    )


def names(references):
    return [reference.name for reference in references]


def test_an_item_is_created_where_it_belongs(client, make, external_id, emulator):
    parent = make("Brakes")
    new = NewItem(
        "Front",
        properties={"description": "two of them"},
        custom_fields=(text(external_id, "K-1"),),
    )
    item = client.items.create_item(TRACKER, new, Place(parent))
    make("First", reference=item.id, position="BEFORE")
    make("Last", reference=item.id, position="AFTER")

    found = client.items.get_item(item.id)
    assert found.name == "Front"
    assert found.description == "two of them"
    assert found.parent is not None
    assert found.parent.id == parent
    values = {value.field_id: value.value for value in found.custom_fields}
    assert values[external_id] == "K-1"
    assert names(client.items.list_children(parent)) == ["First", "Front", "Last"]
    assert names(client.trackers.list_children(TRACKER)) == ["Brakes"]


def test_an_old_version_can_be_read(client, make, external_id):
    item = make("Brakes")
    client.items.update_fields(item, [text(external_id, "K-1")])

    assert client.items.get_item(item).version == 2
    first = client.items.get_item(item, version=1)
    assert not [value for value in first.custom_fields if value.value == "K-1"]


def test_a_missing_item_is_not_found(client):
    with pytest.raises(NotFoundError, match="GET /items/99999"):
        client.items.get_item(ItemId(99999))


@pytest.mark.parametrize("count", [0, 1, 7, 12])
def test_a_query_returns_all_items_in_full(client, make, count, emulator):
    made = [make(f"Item {number}") for number in range(count)]
    emulator.clear_calls()

    found = client.items.query(ALL, page_size=5)

    assert [item.id for item in found] == made
    assert [item.name for item in found] == [
        f"Item {number}" for number in range(count)
    ]
    assert all(item.tracker.id == DEMO_TRACKER_ID for item in found)
    assert len(emulator.calls()) == max(1, -(-count // 5))
    assert client.items.count(ALL) == count


def test_a_query_that_the_server_does_not_understand(client):
    with pytest.raises(BadRequestError):
        client.items.query("tracker.id IN (")


def test_fields_are_updated_and_the_others_stay(client, make, external_id):
    item = make("Brakes")

    changed = client.items.update_fields(item, [text(external_id, "K-2")])

    assert changed.name == "Brakes"
    assert changed.version == 2
    assert "K-2" in [value.value for value in changed.custom_fields]


def test_a_bulk_update_tells_what_it_could_not_do(client, make, external_id):
    items = [make("a"), make("b")]
    patches = [
        ItemPatch(item, (text(external_id, f"K-{item}"),))
        for item in (*items, ItemId(99999))
    ]

    result = client.items.update_many(patches, atomic=False)

    assert result.successful == 2
    assert [failure.id for failure in result.failed] == [99999]
    assert result.failed[0].message
    assert client.items.get_item(items[0]).version == 2


def test_an_atomic_bulk_update_does_all_or_nothing(client, make, external_id):
    items = [make("a"), make("b")]
    patches = [ItemPatch(item, (text(external_id, "K"),)) for item in items]
    wrong = ItemPatch(ItemId(99999), (text(external_id, "K"),))

    with pytest.raises(BadRequestError) as caught:
        client.items.update_many([*patches, wrong], atomic=True)

    assert [number for number, _ in caught.value.failed] == [99999]
    assert [client.items.get_item(item).version for item in items] == [1, 1]
    assert client.items.update_many(patches, atomic=True).successful == 2


def test_an_empty_bulk_update_is_not_sent(client):
    before = client.requests_made

    assert client.items.update_many([], atomic=True).successful == 0
    assert client.requests_made == before


def test_a_deleted_item_is_gone(client, make):
    item = make("Brakes")

    client.items.delete_item(item)

    with pytest.raises(NotFoundError):
        client.items.get_item(item)
    assert client.items.count(ALL) == 0


def test_items_are_put_in_order(client, make):
    parent = make("parent")
    children = [make(name, parent) for name in "abc"]

    client.items.set_children(parent, TRACKER, [children[2], children[0], children[1]])
    assert names(client.items.list_children(parent)) == ["c", "a", "b"]

    client.items.insert_child(parent, TRACKER, children[1], 0)
    assert names(client.items.list_children(parent)) == ["b", "c", "a"]

    client.items.insert_child(None, TRACKER, children[1], 0)
    assert names(client.trackers.list_children(TRACKER)) == ["b", "parent"]

    client.items.set_children(None, TRACKER, [parent, children[1]])
    assert names(client.trackers.list_children(TRACKER)) == ["parent", "b"]


def test_the_history_shows_each_version(client, make, external_id):
    item = make("Brakes")
    client.items.update_fields(item, [text(external_id, "K-1")])

    versions = client.items.list_history(item)

    assert [version.revision["version"] for version in versions] == [1, 2]
    assert {version.modified_by.name for version in versions} == {"generator"}
    change = versions[1].changes[0]
    assert change.field is not None
    assert change.field.id == external_id
    assert change.new is not None
    assert change.new["value"] == "K-1"


def test_an_item_s_lock_keeps_others_out(client, make, client_for, emulator):
    item = make("Brakes")
    alice = client_for(emulator.url, login="alice", password="alice")
    assert client.items.find_lock(item) is None

    alice.items.lock(item, duration="1:30h")

    lock = client.items.find_lock(item)
    assert lock is not None
    assert lock.user is not None
    assert (lock.user.name, lock.expires) == ("alice", True)
    with pytest.raises(ForbiddenError):
        client.items.lock(item, hard=True)
    with pytest.raises(ItemLockedError, match="editing"):
        client.items.update_fields(item, [])
    alice.items.unlock(item)
    assert client.items.find_lock(item) is None


def test_a_hard_lock_does_not_end_by_itself(client, make):
    item = make("Brakes")

    client.items.lock(item, hard=True)

    lock = client.items.find_lock(item)
    assert lock is not None
    assert not lock.expires


WRITES = {
    "createTrackerItem": lambda items, one: items.create_item(TRACKER, NewItem("x")),
    "updateCustomFieldTrackerItem": lambda items, one: items.update_fields(one, []),
    "deleteTrackerItem": lambda items, one: items.delete_item(one),
    "bulkUpdateTrackerItemFields": lambda items, one: items.update_many(
        [ItemPatch(one, ())], atomic=True
    ),
    "patchChildrenOfTracker": lambda items, one: items.insert_child(
        None, TRACKER, one, 0
    ),
    "replaceChildrenOfTracker": lambda items, one: items.set_children(
        None, TRACKER, [one]
    ),
    "lockTrackerItem": lambda items, one: items.lock(one),
    "unlockTrackerItem": lambda items, one: items.unlock(one),
}


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "drop_answer"}, OutcomeUnknownError),
        ({"kind": "reset"}, OutcomeUnknownError),
        ({"kind": "empty"}, OutcomeUnknownError),
        ({"kind": "status", "status": 503}, ServerError),
    ],
)
def test_no_write_is_ever_sent_twice_when_it_may_have_happened(
    client, make, emulator, operation, fault, error
):
    item = make("Brakes")
    emulator.clear_calls()
    emulator.add_fault({**fault, "operation": operation})

    with pytest.raises(error):
        WRITES[operation](client.items, item)

    assert [call["operation"] for call in emulator.calls()] == [operation]


def test_a_created_item_whose_answer_was_lost_exists_once(client, emulator):
    emulator.add_fault({"kind": "drop_answer", "operation": "createTrackerItem"})

    with pytest.raises(OutcomeUnknownError):
        client.items.create_item(TRACKER, NewItem("Brakes"))

    assert [item["name"] for item in emulator.items(DEMO_TRACKER_ID)] == ["Brakes"]


@pytest.mark.parametrize(
    "kind", ["drop_answer", "reset", "empty", "truncate", "status"]
)
def test_a_query_survives_trouble_on_any_page(client, make, emulator, kind):
    for number in range(12):
        make(f"Item {number}")
    for nth in (1, 2, 3):
        emulator.clear_faults()
        emulator.add_fault(
            {"kind": kind, "operation": "findTrackerItemsByCbQL", "nth": nth}
        )
        assert len(client.items.query(ALL, page_size=5)) == 12


def test_a_throttled_write_is_sent_again(client, emulator, clock):
    emulator.add_fault(
        {"kind": "status", "status": 429, "operation": "createTrackerItem", "nth": 1}
    )

    client.items.create_item(TRACKER, NewItem("Brakes"))

    assert len(emulator.items(DEMO_TRACKER_ID)) == 1
    assert [call["status"] for call in emulator.calls()] == [429, 200]
    assert clock.monotonic() > 0


# The requests themselves, to the letter: nothing undeclared, nothing empty.

REFERENCE = {"id": 7, "type": "TrackerItemReference"}
VALUE = FieldValue.model_validate(
    {"fieldId": 9, "type": "TextFieldValue", "value": "K", "colour": "red"}
)
SENT = {"fieldId": 9, "type": "TextFieldValue", "value": "K"}
PLACE = Place(ItemId(5), ItemId(6), "BEFORE")


@pytest.mark.parametrize(
    ("call", "method", "path", "body"),
    [
        (lambda i: i.get_item(7), "GET", "/items/7", None),
        (lambda i: i.get_item(7, version=3), "GET", "/items/7?version=3", None),
        (
            lambda i: i.create_item(1, NewItem("a", custom_fields=(VALUE,))),
            "POST",
            "/trackers/1/items",
            {"name": "a", "customFields": [SENT]},
        ),
        (
            lambda i: i.create_item(1, NewItem("a"), PLACE),
            "POST",
            "/trackers/1/items?parentItemId=5&referenceItemId=6&position=BEFORE",
            {"name": "a"},
        ),
        (
            lambda i: i.update_fields(7, [VALUE]),
            "PUT",
            "/items/7/fields",
            {"fieldValues": [SENT]},
        ),
        (
            lambda i: i.update_many([ItemPatch(7, (VALUE,))], atomic=True),
            "PUT",
            "/items/fields?atomic=true",
            [{"itemId": 7, "fieldValues": [SENT]}],
        ),
        (
            lambda i: i.update_many([ItemPatch(7, (VALUE,))], atomic=False),
            "PUT",
            "/items/fields?atomic=false",
            [{"itemId": 7, "fieldValues": [SENT]}],
        ),
        (lambda i: i.delete_item(7), "DELETE", "/items/7", None),
        (
            lambda i: i.insert_child(5, 1, 7, 2),
            "PATCH",
            "/items/5/children?mode=INSERT",
            {"index": 2, "itemReference": REFERENCE},
        ),
        (
            lambda i: i.insert_child(None, 1, 7, 0),
            "PATCH",
            "/trackers/1/children?mode=INSERT",
            {"index": 0, "itemReference": REFERENCE},
        ),
        (
            lambda i: i.set_children(5, 1, [7]),
            "PUT",
            "/items/5/children",
            {"children": [REFERENCE]},
        ),
        (
            lambda i: i.set_children(None, 1, [7]),
            "PUT",
            "/trackers/1/children",
            {"children": [REFERENCE]},
        ),
        (lambda i: i.lock(7), "PUT", "/items/7/lock", {"hard": False}),
        (
            lambda i: i.lock(7, duration="1h"),
            "PUT",
            "/items/7/lock",
            {"hard": False, "duration": "1h"},
        ),
        (lambda i: i.unlock(7), "DELETE", "/items/7/lock", None),
        (
            lambda i: i.count("x = 1"),
            "POST",
            "/items/query",
            {"queryString": "x = 1", "page": 1, "pageSize": 1},
        ),
    ],
)
def test_what_is_sent(serve, client_for, call, method, path, body):
    wire = serve({"id": 7, "total": 0})

    call(client_for(wire.url).items)

    seen = wire.requests[0]
    assert (seen.method, seen.path) == (method, f"/cb/api/v3{path}")
    assert seen.body == body


@pytest.mark.parametrize("answer", [b"", {}, {"user": None}])
def test_no_lock_is_shown_in_several_ways(serve, client_for, answer):
    assert client_for(serve(answer).url).items.find_lock(ItemId(7)) is None


@pytest.mark.parametrize(
    "call",
    [
        lambda i: i.delete_item(7),
        lambda i: i.lock(7),
        lambda i: i.unlock(7),
        lambda i: i.set_children(5, 1, [7]),
        lambda i: i.insert_child(5, 1, 7, 0),
    ],
)
def test_an_empty_success_is_a_success(serve, client_for, call):
    assert call(client_for(serve(b"").url).items) is None


@pytest.mark.parametrize("answer", [b"", [], {"name": "no id"}])
def test_an_item_that_is_none_is_an_error(serve, client_for, answer):
    with pytest.raises(ContractError, match="Item"):
        client_for(serve(answer).url).items.get_item(ItemId(7))
