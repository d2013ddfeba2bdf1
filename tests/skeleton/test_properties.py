"""What holds for any tree and any edit of it, tried on random ones.

One server for all of them, whose world each example begins anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from airflow_codebeamer.client import Client
from airflow_codebeamer.clock import ManualClock
from airflow_codebeamer.database import Database
from airflow_codebeamer.emulator import DEMO_TRACKER_ID, Emulator
from airflow_codebeamer.ids import Epoch, Lineage, RunId, TrackerId
from airflow_codebeamer.journal import Journal, Run, Runs
from airflow_codebeamer.settings import ServerSettings, StoreSettings
from airflow_codebeamer.skeleton import (
    Application,
    load_document,
    plan,
    read_snapshot,
    roll_back,
)
from airflow_codebeamer.skeleton.snapshot import freeze

TRACKER = TrackerId(DEMO_TRACKER_ID)
KEYS = [f"k{n}" for n in range(9)]
ROWS = st.fixed_dictionaries(
    {"Text": st.sampled_from(["a", "b ", "c\nd"])},
    optional={"Done": st.sampled_from([None, False, True])},
)
STATUSES = ["New", "In Review", "Approved", "Closed"]


class Bench:
    """A tracker to which documents are applied, one after the other."""

    def __init__(self, server: Emulator, client: Client, database: Database) -> None:
        self.server = server
        self.client = client
        self.journal = Journal(database)
        self.runs = Runs(database)
        self.count = 0
        self.world = _with_table(server.world())
        self.application = Application(
            client,
            self.journal,
            self.runs,
            clock=ManualClock(),
            settle_seconds=0.0,
            say=lambda _: None,
            progress=lambda _: None,
        )

    def run(self) -> Run:
        self.count += 1
        return Run(
            run_id=RunId(f"run-{self.count}"),
            server=self.client.settings.base,
            tracker_id=TRACKER,
            lineage=Lineage("lineage"),
            epoch=Epoch(1),
            owner="test",
        )

    def apply(self, document: Any) -> Run:
        run = self.run()
        wanted = self.application.prepare(document, TRACKER)
        self.application.carry_out(wanted, run, lambda: None)
        return run

    def state(self) -> str:
        """Return the tracker byte by byte, without what every write changes."""
        ignored = ("version", "modifiedAt", "modifiedBy")
        items = self.server.items(DEMO_TRACKER_ID)
        for item in items:
            # The server copies the name of what a reference points at when it is
            # written, and does not follow later changes of that name.
            item["subjects"] = sorted(entry["id"] for entry in item["subjects"])
        there = {item["id"] for item in items}
        links = sorted(
            (one["start"], one["properties"]["type"], one["end"], one["created_by"])
            for one in self.server.world()["associations"]
            if {one["start"], one["end"]} <= there
        )
        return json.dumps(
            [
                links,
                *(
                    {key: value for key, value in item.items() if key not in ignored}
                    for item in items
                ),
            ]
        )


def _with_table(world: dict[str, Any]) -> dict[str, Any]:
    """Give the tracker a table with a column that only the server writes."""

    def column(number: int, name: str, kind: str, **more: Any) -> dict[str, Any]:
        shown = {
            "hidden": False,
            "mandatoryInStatuses": [],
            "valueModel": f"{kind}Value",
        }
        return {"id": number, "name": name, "type": kind, **shown, **more}

    columns = [
        column(1000001, "Text", "WikiTextField"),
        column(1000002, "Done", "BoolField"),
        column(1000003, "Id", "TextField", hidden=True),
    ]
    tracker = next(one for one in world["trackers"] if one["id"] == DEMO_TRACKER_ID)
    tracker["schema"].append(column(1000000, "Rows", "TableField", columns=columns))
    return world


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder: Path = tmp_path_factory.mktemp("properties")
    database = Database(StoreSettings(url=f"sqlite:///{folder / 'store.db'}"))
    with (
        Emulator() as server,
        Client(
            ServerSettings(
                url=server.url,
                login="generator",
                password="generator",
                requests_per_second=None,
                requests_per_minute=None,
            )
        ) as client,
    ):
        yield Bench(server, client, database)
    database.close()


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Return a random document of a tree: any keys, parents, order and values."""
    keys = draw(st.lists(st.sampled_from(KEYS), unique=True))
    items: list[dict[str, Any]] = []
    for index, key in enumerate(keys):
        fields: dict[str, Any] = draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "Unit": st.one_of(st.none(), st.sampled_from(["m", "km", " s\n"])),
                    "Length": st.one_of(st.none(), st.integers(0, 3)),
                    "ASIL": st.one_of(st.none(), st.sampled_from("ABCD")),
                    "Status": st.sampled_from(STATUSES),
                    "Subject": st.lists(
                        st.sampled_from(keys).map(lambda one: {"ref": one}),
                        max_size=2,
                    ),
                },
            )
        )
        item: dict[str, Any] = {
            "key": key,
            "name": f"{key} {draw(st.sampled_from('abc'))}",
            "fields": fields,
        }
        if draw(st.booleans()):
            item["tables"] = {"Rows": draw(st.lists(ROWS, max_size=3))}
        if draw(st.booleans()):
            ends = draw(st.lists(st.sampled_from(keys), unique=True, max_size=2))
            item["associations"] = [{"to": {"ref": end}} for end in ends]
        parent = draw(st.sampled_from([None, *keys[:index]]))
        items.append(item | ({"parent": parent} if parent else {}))
    order = draw(st.sampled_from(["strict", "append", "ignore"]))
    return {
        "owner": "test",
        "target": {"tracker": DEMO_TRACKER_ID},
        "policy": {"order": order},
        "items": draw(st.permutations(items)),
    }


EXAMPLES = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@EXAMPLES
@given(first=documents(), second=documents())
def test_what_was_applied_needs_nothing_more(bench, first, second):
    bench.server.load_world(bench.world)
    bench.apply(load_document(first))
    document = load_document(second)
    bench.apply(document)
    again = plan(document, read_snapshot(bench.client, TRACKER, document))
    assert again.is_empty, again.text()


@EXAMPLES
@given(first=documents(), second=documents())
def test_a_rollback_restores(bench, first, second):
    bench.server.load_world(bench.world)
    bench.apply(load_document(first))
    before = bench.state()
    run = bench.apply(load_document(second))
    if bench.runs.find_run(run.run_id) is None:
        return
    report = roll_back(
        run,
        bench.client,
        bench.journal,
        bench.runs,
        lambda: None,
        clock=ManualClock(),
    )
    assert report.left == ()
    assert bench.state() == before


@EXAMPLES
@given(first=documents(), second=documents(), mixer=st.randoms())
def test_a_plan_does_not_depend_on_the_order_of_reading(bench, first, second, mixer):
    bench.server.load_world(bench.world)
    bench.apply(load_document(first))
    document = load_document(second)
    snapshot = read_snapshot(bench.client, TRACKER, document)
    shuffled = list(snapshot.items.values())
    mixer.shuffle(shuffled)
    other = freeze(
        snapshot.tracker_id,
        snapshot.account,
        snapshot.wishes,
        shuffled,
        flow=snapshot.flow,
        queries=snapshot.queries,
    )
    links = {item: group[::-1] for item, group in snapshot.associations.items()}
    other = replace(other, associations=links)
    assert plan(document, other).to_json() == plan(document, snapshot).to_json()
