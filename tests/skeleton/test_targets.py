"""Several documents: how they are read, ordered, planned, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer.emulator import ALL_PERMISSIONS, WorldBuilder
from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.skeleton import Targets, load_documents

ONE = {"owner": "a", "target": {"tracker": 1}, "items": []}
TWO = {"kind": "update", "owner": "b", "target": {"tracker": 2}, "set": {"Unit": "m"}}
YAML = """\
owner: a
target: {tracker: 1}
items: []
---
kind: update
owner: b
target: {tracker: 2}
set: {Unit: m}
---
"""


@pytest.mark.parametrize(
    "source",
    [
        YAML,
        json.dumps([ONE, TWO]),
        f"- {json.dumps(ONE)}\n- {json.dumps(TWO)}\n",
        [ONE, TWO],
        list(load_documents([ONE, TWO])),
    ],
    ids=["documents", "json", "yaml list", "mappings", "models"],
)
def test_several_documents_in_every_form(source: Any, tmp_path: Path) -> None:
    found = load_documents(source)
    assert [one.target.tracker for one in found] == [1, 2]
    if isinstance(source, str):
        path = tmp_path / "some.yaml"
        path.write_text(source)
        assert load_documents(path) == found


def test_one_document_is_one(tmp_path: Path) -> None:
    (found,) = load_documents(ONE)
    path = tmp_path / "one.jsonl"
    path.write_text(json.dumps({"owner": "a", "target": {"tracker": 1}}) + "\n")
    assert load_documents(path) == (found,)
    assert load_documents("owner: a\ntarget: {tracker: 1}\nitems: []\n") == (found,)


@pytest.mark.parametrize(
    ("source", "place", "problem"),
    [
        ("[]", "", "without a document"),
        (YAML.replace("Unit: m", "0x12: m"), "set", "quotes"),
        (YAML.replace("tracker: 2", "trakker: 2"), "documents[1].target", "trakker"),
        ([ONE, "x"], "", "x"),
    ],
)
def test_what_is_wrong_with_one_of_them(source: Any, place: str, problem: str) -> None:
    with pytest.raises(DocumentError) as caught:
        load_documents(source)
    assert caught.value.path.startswith(place)
    assert problem in str(caught.value)


def two_trackers(rig: Any) -> tuple[int, int]:
    """Load a world with two empty trackers; the first points at the second."""
    builder = WorldBuilder()
    account = builder.user("generator")
    project = builder.project("Brake System", "BRK")
    role = builder.role(project, "Generator", trackers_admin=True)
    builder.member(project, account, role)
    tests = builder.tracker(
        project, "Tests", "TST", permissions={role: ALL_PERMISSIONS}
    )
    needs = builder.tracker(
        project, "Requirements", "REQ", permissions={role: ALL_PERMISSIONS}
    )
    rig.server.load_world(builder.build())
    return int(tests), int(needs)


def skeleton(tracker: int, *items: dict[str, Any], **policy: Any) -> dict[str, Any]:
    return {
        "owner": "tests",
        "target": {"tracker": tracker},
        "policy": policy,
        "items": list(items),
    }


def item(key: str, tracker: int | str | None = None, to: str = "") -> dict[str, Any]:
    subject = {} if tracker is None else {"Subject": {"tracker": tracker, "key": to}}
    return {"key": key, "name": key, "fields": subject}


def targets(rig: Any, *documents: dict[str, Any]) -> Targets:
    return Targets(rig.client, load_documents(list(documents)))


@pytest.mark.parametrize("by_name", [False, True])
def test_what_is_referred_to_comes_first(rig: Any, by_name: bool) -> None:
    tests, needs = two_trackers(rig)
    there = "Requirements" if by_name else needs
    several = targets(
        rig, skeleton(tests, item("T", there, "N")), skeleton(needs, item("N"))
    )
    assert list(several.documents) == [needs, tests]
    assert several.tracker_ids == [tests, needs]
    wanted = several.plan()
    assert [plan.counts["created"] for plan in wanted.plans] == [1, 1]
    # What is to come is planned as if it were there: no update afterwards.
    assert wanted.counts["updated"] == 0
    assert f"Tracker {needs}" in wanted.text()
    assert wanted.requests == sum(plan.requests for plan in wanted.plans)
    assert rig.server.items(tests) == []


def test_circles_are_named(rig: Any) -> None:
    tests, needs = two_trackers(rig)
    with pytest.raises(DocumentError, match=f"{tests} -> {needs} -> {tests}.* circle"):
        targets(
            rig,
            skeleton(tests, item("T", needs, "N")),
            skeleton(needs, item("N", tests, "T")),
        )


def test_what_does_not_go_together(rig: Any) -> None:
    tests, needs = two_trackers(rig)
    with pytest.raises(DocumentError, match=r"documents\[1\].* has a document already"):
        targets(rig, skeleton(tests), skeleton(tests))
    with pytest.raises(DocumentError, match="undone as one"):
        targets(rig, skeleton(tests), skeleton(needs, on_failure="keep"))
    with pytest.raises(DocumentError, match=r"no item with the key 'M'"):
        targets(
            rig, skeleton(tests, item("T", needs, "M")), skeleton(needs, item("N"))
        ).plan()
