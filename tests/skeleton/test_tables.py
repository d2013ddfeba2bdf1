from __future__ import annotations

from typing import Any

import pytest

from airflow_codebeamer.emulator import ALL_PERMISSIONS, WorldBuilder
from airflow_codebeamer.errors import DocumentError, PlanConflictError
from airflow_codebeamer.ids import Epoch, Lineage, RunId, TrackerId
from airflow_codebeamer.journal import Run
from airflow_codebeamer.skeleton import (
    Application,
    load_document,
    plan,
    read_snapshot,
    roll_back,
    starting_document,
)

STEPS = 1000000


class Cases:
    """A tracker of test cases, and documents applied to it as under a lock."""

    def __init__(self, rig: Any) -> None:
        self.rig = rig
        builder = WorldBuilder()
        builder.user("bond", system_admin=True)
        account = builder.user("generator")
        project = builder.project("Brake System", "BRK")
        role = builder.role(project, "Generator", trackers_admin=True)
        builder.member(project, account, role)
        self.tracker = TrackerId(
            builder.tracker(
                project,
                "Test Cases",
                "CASE",
                permissions={role: ALL_PERMISSIONS},
                kind="Test Case",
            )
        )
        rig.server.load_world(builder.build())
        self.count = 0

    def document(self, *items: dict[str, Any], **more: Any) -> Any:
        head = {"owner": "test", "target": {"tracker": self.tracker}}
        return load_document({**head, "items": list(items), **more})

    def plan(self, *items: dict[str, Any], **more: Any) -> Any:
        document = self.document(*items, **more)
        snapshot = read_snapshot(self.rig.client, self.tracker, document)
        return plan(document, snapshot)

    def apply(self, *items: dict[str, Any], **more: Any) -> Run:
        rig = self.rig
        self.count += 1
        run = Run(
            run_id=RunId(f"cases-{self.count}"),
            server=rig.client.settings.base,
            tracker_id=self.tracker,
            lineage=Lineage("lineage"),
            epoch=Epoch(1),
            owner="test",
        )
        application = Application(
            rig.client,
            rig.journal,
            rig.runs,
            clock=rig.clock,
            settle_seconds=0.0,
            say=lambda _: None,
            progress=lambda _: None,
        )
        rig.server.clear_calls()
        wanted = application.prepare(self.document(*items, **more), self.tracker)
        application.carry_out(wanted, run, lambda: None)
        return run

    def item(self, name: str = "case") -> dict[str, Any]:
        found = self.rig.server.items(self.tracker)
        return next(item for item in found if item["name"] == name)

    def rows(self, name: str = "case") -> list[list[Any]]:
        for field in self.item(name)["customFields"]:
            if field["fieldId"] == STEPS:
                return [[cell["value"] for cell in row] for row in field["values"]]
        return []

    def write(self, login: str, *rows: list[Any]) -> None:
        """Have somebody give the case other rows, in the server's own words."""
        names = "WikiTextFieldValue", "WikiTextFieldValue", "BoolFieldValue"
        sent = [
            [
                {"fieldId": STEPS + 1 + at, "type": names[at], "value": cell}
                for at, cell in enumerate(row)
            ]
            for row in rows
        ]
        path = f"/v3/items/{self.item()['id']}/fields/tables/{STEPS}"
        assert self.rig.server.act(login, "PUT", path, {"rows": sent}) == 200


@pytest.fixture
def cases(rig: Any) -> Cases:
    return Cases(rig)


def case(*steps: tuple[str, str], **more: Any) -> dict[str, Any]:
    made = [{"action": action, "expected": seen} for action, seen in steps]
    return {"key": "case", "name": "case", "steps": made, **more}


def test_a_new_item_has_its_steps_from_the_one_request_that_makes_it(cases):
    steps = [
        {"action": "Press", "expected": "It stops", "critical": True},
        {"action": {"wiki": "__Release__"}},
    ]
    cases.apply({"key": "case", "name": "case", "steps": steps})
    assert cases.rows() == [["Press", "It stops", True], ["__Release__", "", False]]
    assert [path for _, path in cases.rig.writes()] == ["/trackers/2001/items"]
    assert cases.item()["version"] == 1


def test_equal_rows_are_not_written(cases):
    cases.apply(case(("Press ", "It\r\nstops")))
    assert cases.plan(case(("Press", "It\nstops"))).is_empty
    same = {"Action": "Press", "Expected result": "It\nstops", "Critical": False}
    again = cases.plan(
        {"key": "case", "name": "case", "tables": {"Test Steps": [same]}}
    )
    assert again.is_empty


def test_changed_rows_go_with_the_other_fields_in_one_request(cases):
    cases.apply(case(("a", "b"), ("c", "d")), {"key": "other", "name": "other"})
    wanted = case(("a", "b"), ("c", "new"), ("e", "f"), fields={"Reusable": True})
    assert "2 rows" in cases.plan(wanted).text()
    assert "→ 3 rows ('a' | 'b' | 'c' | 'new'…)" in cases.plan(wanted).text()
    cases.apply(wanted, {"key": "other", "name": "other", "steps": [{"action": "x"}]})
    assert [path for _, path in cases.rig.writes()] == ["/items/fields"]
    assert cases.rows() == [["a", "b", False], ["c", "new", False], ["e", "f", False]]
    assert cases.rows("other") == [["x", "", False]]


def test_what_the_server_hides_stays_and_is_never_sent(cases):
    cases.apply(case(("a", "b"), ("c", "d")))
    cases.rig.server.assume(hidden_columns_shown=True)
    before = [row[3] for row in cases.rows()]
    assert len(set(before)) == 2
    assert cases.plan(case(("a", "b"), ("c", "d"))).is_empty
    cases.apply(case(("a", "b"), ("c", "changed"), ("e", "f")))
    assert [row[3] for row in cases.rows()][:2] == before
    (sent,) = cases.rig.calls("PUT")
    assert str(STEPS + 4) not in str(sent)


def test_a_table_that_the_document_does_not_name_is_not_ours(cases):
    cases.apply({"key": "case", "name": "case"})
    cases.write("bond", ["theirs", "", False])
    assert cases.plan({"key": "case", "name": "case"}).is_empty
    assert len(cases.plan(case(), policy={"foreign_edit": "overwrite"}).updates) == 1


@pytest.mark.parametrize("by", ["changed", "added", "removed"])
def test_rows_that_somebody_else_changed_are_a_conflict(cases, by):
    wanted = case(("a", "b"), ("c", "d"))
    cases.apply(wanted)
    theirs = {
        "changed": (["a", "b", False], ["c", "theirs", False]),
        "added": (["a", "b", False], ["c", "d", False], ["e", "f", False]),
        "removed": (["c", "d", False],),
    }[by]
    cases.write("bond", *theirs)
    with pytest.raises(PlanConflictError, match="Test Steps"):
        cases.plan(wanted)
    kept = cases.plan(wanted, policy={"foreign_edit": "keep"})
    assert kept.is_empty
    assert "Test Steps" in kept.kept[0]


def test_rows_are_ours_while_somebody_else_changes_other_fields(cases):
    cases.apply(case(("a", "b"), ("c", "d")))
    cases.apply(case(("a", "changed")))
    value = {"fieldId": 10003, "type": "BoolFieldValue", "value": True}
    path = f"/v3/items/{cases.item()['id']}/fields"
    assert cases.rig.server.act("bond", "PUT", path, {"fieldValues": [value]}) == 200
    assert len(cases.plan(case(("a", "again"))).updates) == 1


def test_a_rollback_gives_the_old_rows_back(cases):
    cases.apply(case(("a", "b"), ("c", "d")))
    before = cases.rows()
    rig = cases.rig
    run = cases.apply(case(("x", "y")), {"key": "new", "name": "new", **_steps()})
    assert cases.rows() != before
    report = roll_back(run, rig.client, rig.journal, rig.runs, lambda: None)
    assert report.left == ()
    assert cases.rows() == before
    assert len(rig.server.items(cases.tracker)) == 1


def test_a_rollback_leaves_rows_that_somebody_wrote_later(cases):
    cases.apply(case(("a", "b")))
    rig = cases.rig
    run = cases.apply(case(("x", "y")))
    cases.write("bond", ["theirs", "", False])
    report = roll_back(run, rig.client, rig.journal, rig.runs, lambda: None)
    assert cases.rows() == [["theirs", "", False]]
    assert "Test Steps was changed later, to 1 row ('theirs')" in report.left[0]


def _steps() -> dict[str, Any]:
    return {"steps": [{"action": "a"}]}


@pytest.mark.parametrize(
    ("more", "path", "problem"),
    [
        ({"tables": {"Steps": []}}, "tables.Steps", "has no field 'Steps'"),
        ({"tables": {"Reusable": []}}, "tables.Reusable", "is no table"),
        (
            {"fields": {"Test Steps": "x"}},
            'fields["Test Steps"]',
            "write its rows under `tables`",
        ),
        (
            {"tables": {"Test Steps": [{"Actoin": "x"}]}},
            'tables["Test Steps"][0].Actoin',
            "did you mean 'Action'?",
        ),
        (
            {"tables": {"Test Steps": [{"Critical": "yes"}]}},
            'tables["Test Steps"][0].Critical',
            "must be true or false",
        ),
        (
            {"tables": {"Test Steps": [{"Id": "7"}]}},
            'tables["Test Steps"][0].Id',
            "has no column 'Id'",
        ),
        ({"steps": [], "tables": {"Test Steps": []}}, "steps", "keep one of them"),
    ],
)
def test_what_a_tracker_has_not_is_refused(cases, more, path, problem):
    with pytest.raises(DocumentError) as caught:
        cases.plan({"key": "case", "name": "case", **more})
    assert caught.value.path == f"items[0].{path}"
    assert problem in caught.value.problem


def test_steps_need_a_table_for_them(rig):
    document = rig.document({"key": "a", "name": "a", **_steps()})
    with pytest.raises(DocumentError, match="no tables with the columns 'Action'"):
        rig.plan(document)


def test_cells_take_every_kind_of_value(rig: Any) -> None:
    world = rig.server.world()
    tracker = next(one for one in world["trackers"] if one["id"] == rig.tracker_id)
    choice = next(one for one in tracker["schema"] if one["name"] == "ASIL")
    tracker["schema"].append(_table_of(choice))
    rig.server.load_world(world)
    rows = [
        {"Level": "B", "Count": 3, "See": [{"ref": "later"}]},
        {"Level": None, "Count": 4, "See": None},
    ]
    items = (
        {"key": "one", "name": "one", "tables": {"Signals": rows}},
        {"key": "later", "name": "later"},
    )
    document = rig.document(*items)
    rig.apply(document)
    assert rig.plan(document).is_empty
    changed = [rows[0] | {"Count": 3.5}, rows[1]]
    again = rig.document({**items[0], "tables": {"Signals": changed}}, items[1])
    with pytest.raises(DocumentError, match="must be a whole number"):
        rig.plan(again)
    changed = [rows[1], rows[0]]
    assert rig.plan(
        rig.document({**items[0], "tables": {"Signals": changed}}, items[1])
    ).updates


def _table_of(choice: dict[str, Any]) -> dict[str, Any]:
    plain = {"hidden": False, "mandatoryInStatuses": []}
    reference = {
        "id": 1000013,
        "name": "See",
        "type": "TrackerItemChoiceField",
        "valueModel": "ChoiceFieldValue<TrackerItemReference>",
        "referenceType": "TrackerItemReference",
        "multipleValues": True,
        **plain,
    }
    count = {"id": 1000012, "name": "Count", "type": "IntegerField", **plain}
    return {
        "id": 1000010,
        "name": "Signals",
        "type": "TableField",
        "valueModel": "TableFieldValue",
        "columns": [
            {**choice, "id": 1000011, "name": "Level", "multipleValues": False},
            {**count, "valueModel": "IntegerFieldValue"},
            reference,
        ],
        **plain,
    }


def test_a_starting_document_holds_what_hangs_on_items(cases, tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("1")
    links = [{"to": {"ref": "other"}, "propagate_suspects": True}]
    parts = {"associations": links, "attachments": [{"path": str(file)}]}
    cases.apply(
        case(("Press", "It stops"), **parts),
        {"key": "other", "name": "other", "tables": {}},
    )
    rig = cases.rig
    ends = [{"id": n, "type": "TrackerItemReference"} for n in (10001, 10002)]
    kind = {"id": 4, "type": "AssociationTypeReference"}
    body = {"from": ends[0], "to": ends[1], "type": kind}
    assert rig.server.act("bond", "POST", "/v3/associations", body) == 200

    text = starting_document(rig.client, cases.tracker)

    assert '#   "Test Steps": [{"Action": {wiki: ' in text
    assert '"Test Steps": [{"Action": "Press", "Expected result": "It stops"}]' in text
    assert '"associations": [{"type": "depends", "to": {"ref": "other"}' in text
    assert '    # attached: "a.txt", 1 bytes' in text
    assert '# linked by others: {"type": "related", "to": {"ref": "other"}}' in text
    document = load_document(text)
    assert plan(document, read_snapshot(rig.client, cases.tracker, document)).is_empty
