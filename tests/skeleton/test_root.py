"""Documents that stand below an item, and own nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_codebeamer.errors import DocumentError


def item(key: str, *children: Any, **more: Any) -> dict[str, Any]:
    return {"key": key, "name": f"N{key}", "children": list(children), **more}


def below(rig: Any, root: int | str, *items: Any, **policy: Any) -> Any:
    target = {"tracker": rig.tracker_id, "root": root}
    return rig.document(*items, target=target, policy=policy)


@pytest.fixture
def filled(rig: Any) -> Any:
    rig.apply(rig.document(item("home"), item("Z"), item("gone")))
    return rig


def test_items_are_created_ordered_and_undone_below_the_root(filled):
    before = filled.state()
    document = below(filled, "home", item("A", item("A1")), item("B"))
    run = filled.run()
    filled.apply(document, run=run)
    assert filled.tree() == ["Nhome", "  NA", "    NA1", "  NB", "NZ", "Ngone"]
    assert filled.plan(document).is_empty

    number = filled.item("Nhome")["id"]
    turned = below(filled, number, item("B"), item("A", item("A1")))
    again = filled.run()
    filled.apply(turned, run=again)
    assert filled.tree()[:4] == ["Nhome", "  NB", "  NA", "    NA1"]

    assert filled.roll_back(again).left == ()
    assert filled.roll_back(run).left == ()
    assert filled.state() == before


def test_what_is_elsewhere_is_never_pruned(filled):
    filled.apply(below(filled, "home", item("A"), item("B")))
    document = below(filled, "home", item("A"), prune={"mode": "trash"})
    wanted = filled.plan(document)
    assert [one.key for one in wanted.discards] == ["B"]
    filled.apply(wanted)
    assert filled.tree() == ["Nhome", "  NA", "NZ", "Ngone"]


@pytest.mark.parametrize(
    ("root", "problem"),
    [
        ("hoem", "the tracker has no item with the key 'hoem'"),
        (99, "the tracker has no item 99"),
        ("A", "is an item of this document"),
    ],
)
def test_a_root_that_is_not_there(filled, root, problem):
    if root == "A":
        filled.apply(below(filled, "home", item("A")))
    with pytest.raises(DocumentError) as caught:
        filled.plan(below(filled, root, item("A")))
    assert caught.value.path == "target.root"
    assert problem in caught.value.problem
