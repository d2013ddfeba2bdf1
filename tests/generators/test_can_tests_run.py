"""Test cases from a real CAN database, beside the requirements that they verify."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

import pytest

from airflow_codebeamer.emulator import ALL_PERMISSIONS, Emulator, WorldBuilder
from airflow_codebeamer.generators.can import requirements
from airflow_codebeamer.generators.can_tests import cases
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Owner
from airflow_codebeamer.wiring import Codebeamer

pytest.importorskip("opendbc")

DBC = "vw_mqb.dbc"
STEPS = 1000000


@pytest.fixture
def trackers(server: Emulator) -> tuple[TrackerId, TrackerId]:
    """Load a tracker whose requirements are there, and an empty one for test cases."""
    builder = WorldBuilder()
    builder.user("bond", system_admin=True)
    account = builder.user("generator")
    project = builder.project("Car", "CAR")
    role = builder.role(project, "Generator", trackers_admin=True)
    builder.member(project, account, role)
    rights = {role: ALL_PERMISSIONS}
    known = builder.tracker(project, "Requirements", "REQ", permissions=rights)
    for one in list(requirements(DBC))[1:]:
        fields = {"External ID": f"can:{one['key']}"}
        builder.item(known, one["name"], fields=fields, created_by=account)
    cases_id = builder.tracker(
        project, "Test Cases", "CASE", permissions=rights, kind="Test Case"
    )
    world = builder.build()
    tracker = next(one for one in world["trackers"] if one["id"] == cases_id)
    subject = next(one for one in tracker["schema"] if one["name"] == "Subject")
    # So it is called in trackers of test cases.
    subject["name"] = "Verifies"
    server.load_world(world)
    return TrackerId(known), TrackerId(cases_id)


def first(requirements: int, count: int) -> Iterator[Mapping[str, Any]]:
    """Yield the test cases of the first frames of the file."""
    head, *items = cases(DBC, requirements=requirements)
    yield head
    frames = [one["key"] for one in items if "parent" not in one][:count]
    yield from (one for one in items if one.get("parent", one["key"]) in frames)


@pytest.mark.parametrize(
    ("count", "items"), [(10, 318), pytest.param(113, 2_809, marks=pytest.mark.nightly)]
)
def test_test_cases_stand_with_their_steps_and_requirements(
    server: Emulator,
    codebeamer: Codebeamer,
    trackers: tuple[TrackerId, TrackerId],
    count: int,
    items: int,
) -> None:
    def run() -> Any:
        args = {"requirements": known, "count": count}
        return codebeamer.runner.apply(first, args, tracker, lock, run_key="test")

    known, tracker = trackers
    lock = codebeamer.engine.acquire(tracker, owner=Owner("test"))
    server.clear_calls()
    assert run().created == items
    expected = {one["key"]: one for one in list(first(known, count))[1:]}
    assert len(expected) == items
    # The keys of the requirements are read once: their schema, and three pages.
    for_keys = 1 + ceil(1_461 / 500)
    assert len(server.calls()) <= items + ceil(items / 500) + 8 + for_keys
    assert [c for c in server.calls() if c["method"] in ("PATCH", "PUT")] == []
    keys = {one["id"]: _key(one) for one in server.items(known)}
    for item in server.items(tracker):
        wanted = expected.pop(_key(item).removeprefix("can-test:"))
        assert _rows(item) == [tuple(step.values()) for step in wanted.get("steps", ())]
        pointers = wanted.get("fields", {}).get("Verifies", ())
        assert [keys[one["id"]] for one in item["subjects"]] == [
            one["key"] for one in pointers
        ]
    assert expected == {}
    server.clear_calls()
    again = run()
    assert (again.created, again.unchanged) == (0, items)
    assert len(server.calls()) <= ceil(items / 500) + 4 + for_keys
    assert {call["method"] for call in server.calls()} <= {"GET", "POST"}


def _key(item: dict[str, Any]) -> str:
    fields = {one["name"]: one.get("value") for one in item["customFields"]}
    return str(fields["External ID"])


def _rows(item: dict[str, Any]) -> list[tuple[Any, ...]]:
    for field in item["customFields"]:
        if field["fieldId"] == STEPS:
            return [tuple(cell["value"] for cell in row) for row in field["values"]]
    return []
