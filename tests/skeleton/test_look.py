from __future__ import annotations

from typing import Any

import pytest

from airflow_codebeamer.emulator import DEMO_TRACKER_ID, WorldBuilder
from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.skeleton import load_document, read_snapshot, resolve_target


def target(**more: Any):
    return load_document({"owner": "test", "target": more, "items": []})


def test_a_tracker_by_number_costs_no_request(rig):
    assert resolve_target(rig.client, target(tracker=4711)) == 4711
    assert rig.server.calls() == []


@pytest.mark.parametrize("project", ["BRK", "Brake System", 101])
@pytest.mark.parametrize("tracker", ["SYSREQ", "System Requirements"])
def test_trackers_are_found_by_name_and_by_key(rig, project, tracker):
    found = resolve_target(rig.client, target(project=project, tracker=tracker))
    assert found == DEMO_TRACKER_ID


@pytest.mark.parametrize(
    ("more", "path", "problem"),
    [
        ({"tracker": "SYSREQ"}, "target.project", "needs its project"),
        (
            {"project": "Brake Sytem", "tracker": "SYSREQ"},
            "target.project",
            "there is no project 'Brake Sytem'; did you mean 'Brake System'?",
        ),
        (
            {"project": "BRK", "tracker": "System Requirement"},
            "target.tracker",
            "; did you mean 'System Requirements'?",
        ),
    ],
)
def test_a_target_that_is_not_there_is_named(rig, more, path, problem):
    with pytest.raises(DocumentError) as caught:
        resolve_target(rig.client, target(**more))
    assert caught.value.path == path
    assert problem in caught.value.problem


def test_a_tracker_number_that_is_not_there_is_a_document_error(rig):
    document = rig.document()
    with pytest.raises(DocumentError, match=r"target\.tracker: tracker 9 is not there"):
        read_snapshot(rig.client, 9, document)


def test_reading_an_empty_tracker_costs_two_requests(rig):
    snapshot = read_snapshot(rig.client, rig.tracker_id, rig.document())

    assert snapshot.items == {}
    assert snapshot.account == "generator"
    assert [call["operation"] for call in rig.server.calls()] == [
        "getTrackerSchema",
        rig.server.calls()[1]["operation"],
    ]


@pytest.mark.parametrize(
    ("more", "path", "problem"),
    [
        (
            {"fields": {"Asil": "D"}},
            "items[0].fields.Asil",
            "the tracker has no field 'Asil'; did you mean 'ASIL'?",
        ),
        (
            {"seed": {"Lenght": 1}},
            "items[0].seed.Lenght",
            "the tracker has no field 'Lenght'; did you mean 'Length'?",
        ),
        (
            {"fields": {"Byte Order": "little endien"}},
            'items[0].fields["Byte Order"]',
            "'Byte Order' has no option 'little endien', only Unset, little endian,"
            " big endian; did you mean 'little endian'?",
        ),
        (
            {"type": "Folders"},
            "items[0].type",
            "; did you mean 'Folder'?",
        ),
        (
            {"type": "Folder", "fields": {"Type": "Folder"}},
            "items[0].fields.Type",
            "is written as the item's property 'type' already",
        ),
        (
            {"fields": {"ASIL": ["A", "B"]}},
            "items[0].fields.ASIL",
            "'ASIL' takes one option, found 2",
        ),
        (
            {"fields": {"ASIL": False}},
            "items[0].fields.ASIL",
            "the name of an option, found the truth value false; put it in quotes",
        ),
        (
            {"fields": {"Length": "8"}},
            "items[0].fields.Length",
            "must be a number, found the text '8'",
        ),
        (
            {"fields": {"Length": 8.5}},
            "items[0].fields.Length",
            "must be a whole number, found 8.5",
        ),
        (
            {"fields": {"Factor": float("nan")}},
            "items[0].fields.Factor",
            "must be a number that can be written",
        ),
        (
            {"fields": {"Signed": 1}},
            "items[0].fields.Signed",
            "must be true or false, found the number 1",
        ),
        (
            {"fields": {"Unit": 1}},
            "items[0].fields.Unit",
            "must be text, found the number 1; put it in quotes",
        ),
        (
            {"fields": {"Unit": {"wiki": "x"}}},
            "items[0].fields.Unit",
            "a text field takes plain text, not markup",
        ),
        (
            {"fields": {"Rationale": {"plain": "x"}}},
            "items[0].fields.Rationale",
            "a wiki field takes {wiki: …} or {html: …}",
        ),
        (
            {"fields": {"Start Date": "tomorrow"}},
            'items[0].fields["Start Date"]',
            "must be a date like 2026-01-31, found the text 'tomorrow'",
        ),
        (
            {"fields": {"Start Date": "2026-01-31T00:00:00Z"}},
            'items[0].fields["Start Date"]',
            "leave the zone out",
        ),
        (
            {"fields": {"Summary": "x"}},
            "items[0].fields.Summary",
            "the item's own property 'name'",
        ),
        (
            {"fields": {"Description": "x"}},
            "items[0].fields.Description",
            "the item's own property 'description'",
        ),
        (
            {"description": 5},
            "items[0].description",
            "must be text, found the number 5",
        ),
        (
            {"fields": {"Modified at": "2026-01-01"}},
            'items[0].fields["Modified at"]',
            "is computed or written by the server",
        ),
        (
            {"fields": {"External ID": "x"}},
            'items[0].fields["External ID"]',
            "is the identity field",
        ),
        (
            {"fields": {"Owner": "alice"}},
            "items[0].fields.Owner",
            "'Owner' takes {user: …}, {role: …}, found the text 'alice'",
        ),
    ],
)
def test_names_and_values_that_do_not_fit_the_tracker(rig, more, path, problem):
    document = rig.document({"key": "k", "name": "n", **more})
    with pytest.raises(DocumentError) as caught:
        read_snapshot(rig.client, rig.tracker_id, document)
    assert caught.value.path == path
    assert problem in caught.value.problem
    assert len(rig.server.calls()) == 1


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        ("ASIL", "must be a text field"),
        ("Summary", "the item's own property 'name'"),
        ("Extern ID", "has no field 'Extern ID'; did you mean 'External ID'?"),
    ],
)
def test_keys_need_a_text_field_of_the_trackers_own(rig, field, problem):
    document = rig.document(identity={"field": field})
    with pytest.raises(DocumentError) as caught:
        read_snapshot(rig.client, rig.tracker_id, document)
    assert caught.value.path == "identity.field"
    assert problem in caught.value.problem


def test_defaults_are_checked_and_named_as_defaults(rig):
    document = rig.document({"key": "k", "name": "n"}, defaults={"ASIL": "E"})
    with pytest.raises(DocumentError, match=r"^defaults\.ASIL: .* no option 'E'"):
        read_snapshot(rig.client, rig.tracker_id, document)


def _world_with(change: Any) -> dict[str, Any]:
    builder = WorldBuilder()
    user = builder.user("generator", system_admin=True)
    project = builder.project("P", "P")
    role = builder.role(project, "Admin", project_admin=True)
    builder.member(project, user, role)
    builder.tracker(project, "T", "T", permissions={role: range(28)})
    world = builder.build()
    schema = world["trackers"][0]["schema"]
    change({field["name"]: field for field in schema}, schema)
    return world


def test_hidden_computed_and_ambiguous_fields_are_refused(rig):
    def change(named: dict[str, Any], schema: list[Any]) -> None:
        named["Unit"]["hidden"] = True
        named["Length"]["formula"] = "${startBit} + 1"
        schema.append(named["ASIL"] | {"id": 1099})

    rig.server.load_world(_world_with(change))
    for name, problem in [
        ("Unit", "the field 'Unit' is hidden"),
        ("Length", "the field 'Length' is computed"),
        ("ASIL", "has 2 fields 'ASIL' \\(ids 1001, 1099\\)"),
    ]:
        document = rig.document({"key": "k", "name": "n", "fields": {name: None}})
        with pytest.raises(DocumentError, match=problem):
            read_snapshot(rig.client, rig.tracker_id, document)


def test_options_of_the_same_name_cannot_be_chosen(rig):
    def change(named: dict[str, Any], _: list[Any]) -> None:
        options = named["ASIL"]["options"]
        options.append(options[-1] | {"id": 99})

    rig.server.load_world(_world_with(change))
    document = rig.document({"key": "k", "name": "n", "fields": {"ASIL": "D"}})
    with pytest.raises(DocumentError, match="has 2 options of the name 'D'"):
        read_snapshot(rig.client, rig.tracker_id, document)
