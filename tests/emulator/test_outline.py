from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from airflow_codebeamer.emulator import Emulator, WorldBuilder

Ask = Callable[..., requests.Response]


@pytest.fixture
def server() -> Iterator[Emulator]:
    """Items a, a.1, a.1.x, a.2 and b; eve sees only what is hers: b."""
    builder = WorldBuilder()
    builder.user("bond", system_admin=True)
    eve = builder.user("eve")
    project = builder.project("One", "ONE")
    role = builder.role(project, "Guest")
    builder.member(project, eve, role)
    tracker = builder.tracker(project, "T", "T", permissions={role: [2]})
    a = builder.item(tracker, "a")
    a1 = builder.item(tracker, "a.1", parent=a)
    builder.item(tracker, "a.1.x", parent=a1, created_by=eve)
    builder.item(tracker, "a.2", parent=a)
    builder.item(tracker, "b", created_by=eve)
    builder.tracker(project, "Other", "O", permissions={role: [2]})
    with Emulator(world=builder.build()) as running:
        yield running


def shown(answer: requests.Response) -> list[tuple[str, str, bool]]:
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert (body["page"], body["pageSize"]) == (1, body["total"])
    return [
        (
            ".".join(str(one["index"]) for one in entry["outlineIndexes"]),
            entry["itemReference"]["name"],
            entry["hasChildren"],
        )
        for entry in body["outlineItems"]
    ]


OUTLINE = "/trackers/2001/outline"


def test_the_whole_outline(ask: Ask) -> None:
    assert shown(ask("bond", "GET", OUTLINE)) == [
        ("1", "a", True),
        ("1.1", "a.1", True),
        ("1.1.1", "a.1.x", False),
        ("1.2", "a.2", False),
        ("2", "b", False),
    ]


def test_level_by_level(ask: Ask) -> None:
    first = ask("bond", "GET", OUTLINE, resultDepthFilter=1)
    assert shown(first) == [("1", "a", True), ("2", "b", False)]
    parent = first.json()["outlineItems"][0]["itemReference"]["id"]
    second = ask("bond", "GET", OUTLINE, resultDepthFilter=1, parentItemId=parent)
    assert shown(second) == [("1.1", "a.1", True), ("1.2", "a.2", False)]
    levels = second.json()["outlineItems"][1]["outlineIndexes"]
    assert levels == [{"level": 0, "index": 1}, {"level": 1, "index": 2}]
    deeper = ask("bond", "GET", OUTLINE, resultDepthFilter=2, parentItemId=parent)
    assert [text for _, text, _ in shown(deeper)] == ["a.1", "a.1.x", "a.2"]


def test_what_one_may_not_see_hides_what_is_below(ask: Ask) -> None:
    assert shown(ask("eve", "GET", OUTLINE)) == [("2", "b", False)]
    assert ask("eve", "GET", OUTLINE, parentItemId=10001).status_code == 403


def test_refusals(ask: Ask) -> None:
    assert ask("bond", "GET", OUTLINE, resultDepthFilter=0).status_code == 400
    assert ask("bond", "GET", OUTLINE, parentItemId=99).status_code == 404
    other = ask("bond", "GET", "/trackers/2002/outline", parentItemId=10001)
    assert other.status_code == 400
    assert ask("bond", "GET", "/trackers/9/outline").status_code == 404
