"""Whatever valid calls come in whatever order, the world stays whole."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_codebeamer.emulator import WorldBuilder
from airflow_codebeamer.emulator.app import Application, Asked
from airflow_codebeamer.emulator.world import World

TRACKER = 2001
FIRST = 10001
NUMBERS = st.integers(0, 9)


def start() -> Application:
    builder = WorldBuilder()
    builder.user("bond", system_admin=True)
    project = builder.project("One", "ONE")
    tracker = builder.tracker(project, "T", "T")
    for name in ("a", "b", "c"):
        builder.item(tracker, name)
    return Application(World.load(builder.build()))


BOND = "Basic " + base64.b64encode(b"bond:bond").decode()


def do(application: Application, method: str, path: str, body: Any, query: str) -> int:
    text = b"" if body is None else json.dumps(body).encode()
    asked = Asked(method, f"/cb/api/v3{path}", query, BOND, "application/json", text)
    return application.finish(application.begin(asked)).status


def reference(item: int) -> dict[str, Any]:
    return {"id": FIRST + item, "type": "TrackerItemReference"}


def call(kind: str, one: int, two: int, index: int) -> tuple[str, str, Any, str]:
    """One call made of three small numbers; many of them are refused, none breaks."""
    item, other = FIRST + one, FIRST + two
    text = {"fieldId": 3, "type": "TextFieldValue", "value": f"name {index}"}
    child = {"itemReference": reference(two), "index": index}
    position = ("BEFORE", "AFTER", "BELOW")[index % 3]
    status = {"id": 1 + index % 4, "type": "ChoiceOptionReference"}
    calls: dict[str, tuple[str, str, Any, str]] = {
        "create": ("POST", f"/trackers/{TRACKER}/items", {"name": "new"}, ""),
        "create below": (
            "POST",
            f"/trackers/{TRACKER}/items",
            {"name": "new"},
            f"parentItemId={item}",
        ),
        "create beside": (
            "POST",
            f"/trackers/{TRACKER}/items",
            {"name": "new"},
            f"referenceItemId={item}&position={position}",
        ),
        "rename": ("PUT", f"/items/{item}/fields", {"fieldValues": [text]}, ""),
        "bulk": (
            "PUT",
            "/items/fields",
            [{"itemId": n, "fieldValues": [text]} for n in (item, other)],
            f"atomic={'true' if index % 2 else 'false'}",
        ),
        "replace": (
            "PUT",
            f"/items/{item}",
            {"name": "whole", "status": status, "parent": reference(two)},
            "",
        ),
        "delete": ("DELETE", f"/items/{item}", None, ""),
        "add child": ("POST", f"/items/{item}/children", {"id": other}, ""),
        "to the top": ("POST", f"/trackers/{TRACKER}/children", {"id": other}, ""),
        "insert": ("PATCH", f"/items/{item}/children", child, "mode=INSERT"),
        "remove": ("PATCH", f"/items/{item}/children", child, "mode=REMOVE"),
        "put in place of": ("PATCH", f"/items/{item}/children", child, "mode=REPLACE"),
        "insert at the top": (
            "PATCH",
            f"/trackers/{TRACKER}/children",
            child,
            "mode=INSERT",
        ),
    }
    return calls[kind]


KINDS = [
    "create",
    "create below",
    "create beside",
    "rename",
    "bulk",
    "replace",
    "delete",
    "add child",
    "to the top",
    "insert",
    "remove",
    "put in place of",
    "insert at the top",
]


def check(world: World) -> None:
    tracker = world.trackers[TRACKER]
    live = {item.id for item in world.items.values() if not item.trashed}
    reached = []
    todo = [(None, number) for number in tracker.children]
    while todo:
        parent, number = todo.pop()
        assert world.items[number].parent == parent
        reached.append(number)
        todo += [(number, child) for child in world.items[number].children]
    assert sorted(reached) == sorted(live)
    for item in world.items.values():
        versions = [revision["version"] for revision in item.history]
        assert versions == list(range(1, item.version + 1))
        assert item.history[-1]["values"] == item.values
    assert World.load(world.dump()).dump() == world.dump()


@settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    st.lists(
        st.tuples(st.sampled_from(KINDS), NUMBERS, NUMBERS, st.integers(0, 5)),
        min_size=3,
        max_size=25,
    ),
    st.booleans(),
)
def test_the_world_stays_whole(
    steps: list[tuple[str, int, int, int]], takes_subtree: bool
) -> None:
    application = start()
    application.world.assumptions["trash_takes_subtree"] = takes_subtree
    for step in steps:
        before = application.world.dump()
        status = do(application, *call(*step))
        assert status in (200, 400, 404), application.calls.to_json()[-1]
        if status != 200:
            assert application.world.dump() == before, step
        check(application.world)
