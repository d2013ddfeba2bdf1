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
    tracker = builder.tracker(project, "T", "T", kind="Test Case")
    for name in ("a", "b", "c"):
        builder.item(tracker, name)
    return Application(World.load(builder.build()))


FORM_TYPE = "multipart/form-data; boundary=line"
FORM = (
    "--line\r\nContent-Disposition: form-data; name={part}\r\n\r\ntext\r\n--line--\r\n"
)
FILE = '"{part}"; filename="a.txt"'
BOND = "Basic " + base64.b64encode(b"bond:bond").decode()


def do(application: Application, method: str, path: str, body: Any, query: str) -> int:
    text = b"" if body is None else json.dumps(body).encode()
    kind = "application/json"
    if isinstance(body, str):
        text, kind = FORM.format(part=body).encode(), FORM_TYPE
    asked = Asked(
        method, f"/cb/api/v3{path}", query, BOND, "application/json", text, kind
    )
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
    row = [
        {"fieldId": 1000001, "type": "WikiTextFieldValue", "value": f"do {index}"},
        {"fieldId": 1000002, "type": "WikiTextFieldValue", "value": ""},
        {"fieldId": 1000003, "type": "BoolFieldValue", "value": index == 1},
    ]
    link = {
        "from": reference(one % 3),
        "to": reference(two % 3),
        "type": {"id": 1 + index, "type": "AssociationTypeReference"},
    }
    baseline = {"name": "b", "project": {"id": 101, "type": "ProjectReference"}}
    # Few of these, so that calls meet what earlier ones made.
    near, said = FIRST + one % 2, 3001 + two % 3
    files, words = f"/items/{near}/attachments", f"/items/{near}/comments"
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
        "attach": ("POST", files, FILE.format(part="attachments"), ""),
        "new content": (
            "PUT",
            f"/attachments/{5001 + two % 3}/content",
            FILE.format(part="content"),
            "",
        ),
        "detach": (
            "DELETE",
            f"{files}/{5001 + two % 3}",
            None,
            f"deleteAttachmentGroup={'true' if index % 2 else 'false'}",
        ),
        "detach all": ("DELETE", files, None, ""),
        "say": ("POST", words, "comment", ""),
        "reply": ("POST", f"{words}/{said}", "comment", ""),
        "reword": ("PUT", f"{words}/{said}", "comment", ""),
        "unsay": ("DELETE", f"{words}/{said}", None, ""),
        "link": ("POST", "/associations", link, ""),
        "unlink": ("DELETE", f"/associations/{7001 + two % 2}", None, ""),
        "rows": (
            "PUT",
            f"/items/{item}/fields/tables/1000000",
            {"rows": [row] * index},
            "",
        ),
        "baseline": ("POST", "/baselines", baseline, ""),
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
    "attach",
    "new content",
    "detach",
    "detach all",
    "say",
    "reply",
    "reword",
    "unsay",
    "link",
    "unlink",
    "rows",
    "baseline",
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
    check_attached(world)
    for baseline in world.baselines.values():
        for number, version, _, _ in baseline.places:
            assert 1 <= version <= world.items[number].version
    assert World.load(world.dump()).dump() == world.dump()


def check_attached(world: World) -> None:
    """Comments, files and rows belong to one item each and are not lost."""
    said = [number for item in world.items.values() for number in item.comments]
    held = [number for item in world.items.values() for number in item.attachments]
    assert sorted(said) == sorted(world.comments)
    assert sorted(held) == sorted(world.attachments)
    groups = {file.comment for file in world.attachments.values()}
    for comment in world.comments.values():
        assert comment.id in world.items[comment.item].comments
        assert comment.text or comment.id in groups
        if comment.parent is not None:
            assert world.comments[comment.parent].item == comment.item
    for file in world.attachments.values():
        assert file.id in world.items[file.item].attachments
        assert world.comments[file.comment].item == file.item
        versions = [revision["version"] for revision in file.revisions]
        assert versions == list(range(1, len(versions) + 1))
    for item in world.items.values():
        rows = item.values.get(1000000) or ()
        numbers = [cell["value"] for row in rows for cell in row[3:]]
        assert len(set(numbers)) == len(rows)


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
