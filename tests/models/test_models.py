from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from airflow_codebeamer.ids import FieldId, ItemId, PermissionId
from airflow_codebeamer.models import (
    BulkResult,
    FieldValue,
    Item,
    ItemLock,
    ItemPatch,
    NewItem,
    Reference,
    RolePermissions,
    Tracker,
    TrackerField,
    TrackerPermission,
    User,
    Version,
)

OPTION = {
    "id": 3,
    "name": "ASIL C",
    "type": "ChoiceOptionReference",
    "iconUrl": "/icon.png",
}


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        (Item, {"id": 1, "angularIcon": {"name": "x"}}),
        (Tracker, {"id": 1, "sharedInWorkingSet": True}),
        (User, {"id": 1, "timeZone": "UTC"}),
        (Reference, {"id": 1, "uri": "/item/1"}),
        (TrackerField, {"id": 1, "formula": "a + b"}),
        (Version, {"comment": "new in 3.4"}),
    ],
)
def test_properties_that_we_do_not_know_are_kept(model, answer):
    kept = model.model_validate(answer).model_dump(by_alias=True)

    assert answer.items() <= kept.items()


def test_null_means_not_there():
    item = Item.model_validate(
        {"id": 1, "children": None, "name": None, "status": None}
    )

    assert item.children == ()
    assert item.name == ""
    assert item.status is None
    assert BulkResult.model_validate({"failedOperations": None}).failed == ()


def test_an_answer_cannot_be_changed():
    with pytest.raises(ValidationError):
        Reference(id=1).name = "other"


def test_a_built_in_field_is_found_by_the_server_s_name():
    item = Item.model_validate({"id": 1, "modifiedAt": "2026-01-01", "storyPoints": 5})

    assert item.property_value("modifiedAt") == "2026-01-01"
    assert item.property_value("storyPoints") == 5
    assert item.property_value("nothing") is None


def test_a_reference_sends_only_what_a_request_may_carry():
    assert Reference.model_validate(OPTION).request() == {
        "id": 3,
        "name": "ASIL C",
        "type": "ChoiceOptionReference",
    }
    assert Reference(id=3).request() == {"id": 3}


@pytest.mark.parametrize(
    "option",
    [
        OPTION,
        Reference.model_validate(OPTION),
        {"id": 3, "name": "ASIL C", "type": "ChoiceOptionReference"},
    ],
)
def test_a_choice_read_can_be_written_back(option):
    value = FieldValue.model_validate(
        {
            "fieldId": 1000,
            "name": "ASIL",
            "type": "ChoiceFieldValue",
            "values": [option],
            "sharedFieldNames": [],
            "colour": "red",
        }
    )

    assert value.request() == {
        "fieldId": 1000,
        "name": "ASIL",
        "type": "ChoiceFieldValue",
        "values": [{"id": 3, "name": "ASIL C", "type": "ChoiceOptionReference"}],
    }
    json.dumps(value.request())


def test_a_table_read_can_be_written_back():
    cell = {"fieldId": 5, "type": "TextFieldValue", "value": "x", "extra": 1}
    choice = {"fieldId": 6, "type": "ChoiceFieldValue", "values": [OPTION]}
    table = FieldValue.model_validate(
        {"fieldId": 4, "type": "TableFieldValue", "values": [[cell, choice]]}
    )

    row = table.request()["values"][0]
    assert row[0] == {"fieldId": 5, "type": "TextFieldValue", "value": "x"}
    assert "iconUrl" not in json.dumps(row[1])


def test_no_value_clears_a_field():
    value = FieldValue(field_id=FieldId(7), type="TextFieldValue")

    assert value.request() == {"fieldId": 7, "type": "TextFieldValue", "value": None}


def test_an_empty_choice_is_sent_as_such():
    value = FieldValue(field_id=FieldId(7), type="ChoiceFieldValue", values=())

    assert value.request()["values"] == []
    assert "value" not in value.request()


def test_a_new_item_sends_references_bare():
    new = NewItem(
        "Brake",
        properties={
            "description": "text",
            "status": Reference.model_validate(OPTION),
            "categories": [OPTION],
            "storyPoints": 3,
        },
        custom_fields=(
            FieldValue(field_id=FieldId(9), type="TextFieldValue", value="K"),
        ),
    )

    body = json.loads(json.dumps(new.request()))
    bare = {"id": 3, "name": "ASIL C", "type": "ChoiceOptionReference"}
    assert body == {
        "name": "Brake",
        "description": "text",
        "status": bare,
        "categories": [bare],
        "storyPoints": 3,
        "customFields": [{"fieldId": 9, "type": "TextFieldValue", "value": "K"}],
    }


def test_a_new_item_without_fields_sends_its_name():
    assert NewItem("Brake").request() == {"name": "Brake"}


def test_a_patch_names_its_item():
    value = FieldValue(field_id=FieldId(9), type="TextFieldValue", value="K")

    assert ItemPatch(ItemId(5), (value,)).request() == {
        "itemId": 5,
        "fieldValues": [{"fieldId": 9, "type": "TextFieldValue", "value": "K"}],
    }


def test_permissions_are_compared_as_numbers():
    role = RolePermissions.model_validate(
        {
            "role": {"id": 4, "name": "Tester", "type": "RoleReference"},
            "trackerPermissions": [
                {"id": 2, "name": "issue_view", "type": "TrackerPermissionReference"},
                {"id": 0, "name": "issue_view_not_own"},
            ],
        }
    )

    assert role.role_id == 4
    assert role.ids == {PermissionId(0), PermissionId(2)}
    assert role.permissions[0].request() == {"id": 2, "name": "issue_view"}


def test_a_role_without_permissions_has_none():
    assert RolePermissions.model_validate({"role": {"id": 4}}).ids == frozenset()


def test_schema_fields_know_their_options_and_columns():
    field = TrackerField.model_validate(
        {
            "id": 4,
            "type": "TableField",
            "columns": [{"id": 5, "type": "OptionChoiceField", "options": [OPTION]}],
            "mandatoryInStatuses": [{"id": 1, "name": "New"}],
        }
    )

    assert field.columns[0].options[0].name == "ASIL C"
    assert field.mandatory_in_statuses[0].id == 1


def test_a_lock_says_who_and_whether_it_ends():
    lock = ItemLock.model_validate({"user": {"id": 2, "name": "bob"}, "expires": True})

    assert lock.user is not None
    assert (lock.user.name, lock.expires) == ("bob", True)


def test_permission_without_a_name_still_has_its_number():
    assert TrackerPermission.model_validate({"id": 27}).id == 27
