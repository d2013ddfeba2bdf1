"""How many requests things cost, counted by the server: the issue's own figures.

Locking is another room and counted there: a fake guard stands for it here, so
what is counted is what planning, writing and proving cost.
"""

from __future__ import annotations

from math import ceil
from typing import Any

import pytest

from airflow_codebeamer.emulator import ALL_PERMISSIONS, WorldBuilder
from airflow_codebeamer.generators.can import requirements
from airflow_codebeamer.ids import Epoch, Lineage, RunId, TrackerId
from airflow_codebeamer.journal import Run
from airflow_codebeamer.skeleton import Application, load_document
from airflow_codebeamer.skeleton.delta import refresh


class Counted:
    """A tracker, and documents applied to it as under a lock."""

    def __init__(self, rig: Any) -> None:
        self.rig = rig
        self.tracker = TrackerId(rig.tracker_id)
        self.applications = 0
        self.said: list[str] = []

    def load(self, count: int, *, deep: bool = False) -> None:
        """Load a world whose tracker has items with keys, as our account made them."""
        builder = WorldBuilder()
        builder.user("bond", system_admin=True)
        account = builder.user("generator")
        project = builder.project("Brake System", "BRK")
        role = builder.role(project, "Generator", trackers_admin=True)
        builder.member(project, account, role)
        tracker = builder.tracker(
            project, "Requirements", "REQ", permissions={role: ALL_PERMISSIONS}
        )
        above = None
        for number in range(count):
            made = builder.item(
                tracker,
                f"N{number}",
                fields={"External ID": f"k{number}", "Unit": "m"},
                parent=above if number % 50 else None,
                created_by=account,
            )
            if deep and number % 50 == 0:
                above = made
        self.rig.server.load_world(builder.build())
        self.tracker = TrackerId(tracker)

    def items(self, count: int, *, deep: bool = False, **more: Any) -> list[Any]:
        return [
            {
                "key": f"k{n}",
                "name": f"N{n}",
                "fields": {"Unit": "m", **more},
                **({"parent": f"k{n - n % 50}"} if deep and n % 50 else {}),
            }
            for n in range(count)
        ]

    def document(self, items: list[Any], **more: Any) -> Any:
        return load_document(
            {
                "owner": "test",
                "target": {"tracker": self.tracker},
                "items": items,
                **more,
            }
        )

    def application(self) -> Application:
        rig = self.rig
        return Application(
            rig.client,
            rig.journal,
            rig.runs,
            clock=rig.clock,
            settle_seconds=0.0,
            say=self.said.append,
            progress=lambda _: None,
        )

    def apply(self, document: Any) -> tuple[int, Any]:
        """Plan, look again, write and prove; return the requests and the plan."""
        rig = self.rig
        self.applications += 1
        run = Run(
            run_id=RunId(f"counted-{self.applications}"),
            server=rig.client.settings.base,
            tracker_id=self.tracker,
            lineage=Lineage("lineage"),
            epoch=Epoch(1),
            owner="test",
        )
        application = self.application()
        rig.server.clear_calls()
        planned = application.prepare(document, self.tracker)
        if not planned.is_empty:
            planned = application.prepare(document, self.tracker, planned)
            application.carry_out(planned, run, lambda: None)
        return len(rig.server.calls()), planned


@pytest.fixture
def counted(rig: Any) -> Counted:
    return Counted(rig)


def test_creating_costs_a_request_for_each_item_and_next_to_nothing_else(counted):
    pytest.importorskip("opendbc")
    items = [dict(item) for item in requirements("vw_mqb.dbc")]
    # A generator may yield the head of its document before its items.
    head = {} if "key" in items[0] else items.pop(0)
    document = counted.document(items, **head)
    requests, wanted = counted.apply(document)
    count = len(items)
    assert count == 1461 == len(wanted.creates)
    assert requests <= count + ceil(count / 500) + 8
    # The schema, the empty tracker, the look under the lock, and the proof.
    assert requests == count + 3 + ceil(count / 500)
    assert counted.rig.calls("PUT", "PATCH") == []

    again, nothing = counted.apply(document)
    assert nothing.is_empty
    assert again == ceil(count / 500) + 1 <= ceil(count / 500) + 4


def test_another_process_reads_schema_and_items_again_where_one_looks_once(counted):
    """The plan and generate tasks of a DAG, against one `apply`; the rest is equal."""
    counted.load(600)
    document = counted.document(counted.items(600, Unit="km"))
    server = counted.rig.server

    def cost(planned: Any = None) -> tuple[int, Any]:
        server.clear_calls()
        found = counted.application().prepare(document, counted.tracker, planned)
        return len(server.calls()), found

    requests, planned = cost()
    assert requests == 1 + ceil(600 / 500) == 3
    assert cost(planned)[0] == 1
    assert cost()[0] == requests, "generate has nothing of the plan task's"


def test_one_changed_field_of_all_items(counted):
    count = 3000
    counted.load(count, deep=True)
    document = counted.document(counted.items(count, deep=True, Unit="km"))
    requests, wanted = counted.apply(document)
    assert len(wanted.updates) == count
    assert requests <= ceil(count / 500) + ceil(count / 100)
    # Read, schema, look again, 100 + 200 + 400 + 500 …, and read back.
    assert requests == 6 + 1 + 1 + 8 + 6


@pytest.mark.parametrize("deep", [True, False])
def test_one_item_added_to_10000(counted, deep):
    count = 10_000
    counted.load(count, deep=deep)
    items = counted.items(count, deep=deep)
    items.insert(7301, {**items[7301], "key": "new", "name": "New"})
    requests, wanted = counted.apply(counted.document(items))
    assert (len(wanted.creates), len(wanted.updates)) == (1, 0)
    # The schema, 20 pages, the look under the lock, the item, and its neighbours.
    assert requests == 1 + 20 + 1 + 1 + (1 if deep else 2)
    assert requests <= 30
    found = counted.rig.server.items(counted.tracker)
    names = [item["name"] for item in found]
    assert names[names.index("New") - 1] == "N7300"


def test_what_others_changed_after_the_plan_is_read_alone(counted):
    counted.load(1200)
    document = counted.document(
        counted.items(1200, Unit="km"), policy={"foreign_edit": "keep"}
    )
    rig = counted.rig
    planned = counted.application()
    before = planned.prepare(document, counted.tracker)
    number = rig.server.items(counted.tracker)[3]["id"]
    value = {"fieldId": 10002, "type": "TextFieldValue", "value": "mile"}
    path = f"/v3/items/{number}/fields"
    assert rig.server.act("bond", "PUT", path, {"fieldValues": [value]}) == 200
    rig.server.clear_calls()

    after = planned.prepare(document, counted.tracker, before)

    # One page, and the history of the one item.
    assert len(rig.calls("POST")) == 1
    assert len(rig.calls("GET")) == 1
    assert len(after.updates) == len(before.updates) - 1
    assert "mile" in after.kept[0]
    assert counted.said == [
        "Others changed the tracker after it was planned: planned anew."
    ]


@pytest.mark.parametrize("what", ["added", "deleted", "moved"])
def test_a_tree_that_others_changed_after_the_plan_is_read_again(counted, what):
    counted.load(120, deep=True)
    document = counted.document(
        counted.items(120, deep=True, Unit="km"), policy={"foreign_edit": "keep"}
    )
    rig = counted.rig
    snapshot = counted.application().prepare(document, counted.tracker).snapshot
    number = rig.server.items(counted.tracker)[60]["id"]
    top = rig.server.items(counted.tracker)[0]["id"]
    if what == "added":
        path = f"/v3/trackers/{counted.tracker}/items?parentItemId={top}"
        assert rig.server.act("bond", "POST", path, {"name": "Theirs"}) == 200
    elif what == "deleted":
        assert rig.server.act("bond", "DELETE", f"/v3/items/{number}") == 200
    else:
        body = {
            "index": 0,
            "itemReference": {"id": number, "type": "TrackerItemReference"},
        }
        path = f"/v3/items/{top}/children?mode=INSERT"
        assert rig.server.act("bond", "PATCH", path, body) == 200

    fresh = refresh(rig.client, snapshot)

    whole = counted.application().prepare(document, counted.tracker).snapshot
    assert fresh.children == whole.children
    assert set(fresh.items) == set(whole.items)
