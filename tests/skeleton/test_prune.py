"""What becomes of items that the document does not name any more, and the guards."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from airflow_codebeamer.errors import DocumentError, PruneLimitError, SkeletonError
from airflow_codebeamer.skeleton import apply_plan, read_again, verify


def item(key: str, *children: Any, **more: Any) -> dict[str, Any]:
    return {"key": key, "name": f"N{key}", "children": list(children), **more}


def fill(rig: Any, count: int = 4) -> None:
    rig.apply(
        rig.document(
            item("old", type="Folder"),
            item("A", item("A1"), item("A2")),
            *(item(f"B{n}") for n in range(count)),
        )
    )


def left(rig: Any, count: int, *, keep: bool = False, **prune: Any) -> Any:
    """Return a document without A and all below, and with so many of the B."""
    items = [item("old", type="Folder"), *([item("A")] if keep else [])]
    items += [item(f"B{n}") for n in range(count)]
    return rig.document(*items, policy={"prune": prune})


OBSOLETE = {"mode": "obsolete", "set": {"Status": "Closed"}, "move_under": "old"}


def test_obsolete_items_are_marked_and_moved_aside_once(rig):
    fill(rig)
    document = left(rig, 4, **OBSOLETE)
    wanted = rig.plan(document)
    assert wanted.counts["pruned"] == 3
    run = rig.run()
    before = rig.state()
    rig.apply(wanted, run=run)

    assert rig.tree()[:4] == ["Nold", "  NA", "    NA1", "    NA2"]
    assert {rig.item(n)["status"]["name"] for n in ("NA", "NA1", "NA2")} == {"Closed"}
    assert verify(wanted, read_again(rig.client, wanted.snapshot)) == []
    assert rig.plan(document).is_empty

    assert rig.roll_back(run).left == ()
    assert rig.state() == before


def test_an_item_that_comes_back_goes_back_to_its_place(rig):
    fill(rig)
    rig.apply(left(rig, 4, **OBSOLETE))
    again = rig.document(
        item("old", type="Folder"),
        item("A", item("A1"), item("A2"), fields={"Status": "New"}),
        *(item(f"B{n}") for n in range(4)),
    )
    rig.apply(again)
    assert rig.tree()[:4] == ["Nold", "NA", "  NA1", "  NA2"]
    assert rig.item("NA")["status"]["name"] == "New"


def test_trashed_items_go_last_and_are_residue_of_a_rollback(rig):
    fill(rig)
    wanted = rig.plan(left(rig, 4, mode="trash"))
    run = rig.run()
    rig.server.clear_calls()
    rig.apply(wanted, run=run)
    assert rig.tree() == ["Nold", "NB0", "NB1", "NB2", "NB3"]
    assert [method for method, _ in rig.writes()] == ["DELETE"] * 3

    report = rig.roll_back(run)
    assert len(report.left) == 3
    assert all("is in the trash" in line for line in report.left)


def test_nothing_is_trashed_before_the_rest_is_proved(rig):
    fill(rig)
    wanted = rig.plan(left(rig, 4, mode="trash"))

    def refuse(_: Any) -> None:
        raise SkeletonError("not as it should be")

    with pytest.raises(SkeletonError, match="not as it should be"):
        apply_plan(
            wanted,
            rig.client,
            rig.journal,
            rig.runs,
            rig.run(),
            lambda: None,
            clock=rig.clock,
            prove=refuse,
        )
    assert "NA" in rig.tree()


def test_somebody_else_s_item_below_keeps_all_above_it(rig):
    fill(rig)
    below = rig.item("NA1")["id"]
    path = f"/v3/trackers/{rig.tracker_id}/items?parentItemId={below}"
    assert rig.server.act("bond", "POST", path, {"name": "Theirs"}) == 200
    wanted = rig.plan(left(rig, 4, mode="trash"))
    rig.apply(wanted)
    assert rig.tree()[:4] == ["Nold", "NA", "  NA1", "    Theirs"]
    assert "NA2" not in "".join(rig.tree())
    assert sum("below it and is not trashed" in line for line in wanted.spared) == 2


def test_comments_keep_an_item(rig):
    fill(rig)
    number = rig.item("NA2")["id"]
    said = requests.post(
        f"{rig.server.url}/api/v3/items/{number}/comments",
        auth=("bond", "bond"),
        files={"comment": (None, "Why?"), "commentFormat": (None, "PlainText")},
        timeout=10,
    )
    assert said.status_code == 200, said.text
    wanted = rig.plan(left(rig, 4, mode="trash"))
    rig.apply(wanted)
    assert rig.tree()[:3] == ["Nold", "NA", "  NA2"]
    assert any("has comments" in line for line in wanted.spared)


@pytest.mark.parametrize("mode", ["obsolete", "trash"])
def test_a_filter_protects(rig, mode):
    fill(rig)
    told = {**OBSOLETE, "protect": "name IN ('NA1', 'NA2')"}
    if mode == "trash":
        told = {"mode": "trash", "protect": "name IN ('NA1', 'NA2')"}
    rig.server.clear_calls()
    wanted = rig.plan(left(rig, 4, **told))
    assert len(rig.calls("POST")) == 2
    assert sum("is protected" in line for line in wanted.spared) == 2
    assert wanted.counts["pruned"] == (1 if mode == "obsolete" else 0)


def test_the_filter_is_not_asked_when_nothing_is_gone(rig):
    fill(rig)
    document = rig.document(
        item("old", type="Folder"),
        item("A", item("A1"), item("A2")),
        *(item(f"B{n}") for n in range(4)),
        policy={"prune": {"mode": "trash", "protect": "name = 'x'"}},
    )
    rig.server.clear_calls()
    assert rig.plan(document).is_empty
    assert len(rig.calls("POST")) == 1


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"max_items": 5, "max_percent": None}, "policy.prune.max_items is 5"),
        ({"max_items": None}, r"11\.1 % of 63, and policy.prune.max_percent is 5"),
    ],
)
def test_a_document_that_lost_too_much_prunes_nothing(rig, limits, said):
    fill(rig, 59)
    document = left(rig, 55, **{**OBSOLETE, **limits})
    with pytest.raises(PruneLimitError, match=said) as caught:
        rig.plan(document)
    assert caught.value.count == 7
    rig.plan(left(rig, 55, **{**OBSOLETE, "max_percent": 20}))


def test_items_with_another_prefix_are_nobody_s_to_prune(rig):
    rig.apply(rig.document(item("A"), identity={"prefix": "x:"}))
    rig.apply(
        rig.document(
            item("A"),
            identity={"prefix": "y:"},
            policy={"prune": {"mode": "trash"}},
        )
    )
    assert rig.tree() == ["NA", "NA"]


@pytest.mark.parametrize(
    ("prune", "path", "problem"),
    [
        ({"mode": "obsolete"}, "policy.prune.set", "say what marks an obsolete item"),
        ({"set": {"Unit": "x"}}, "policy.prune.mode", "only 'obsolete' marks"),
        (
            {"mode": "obsolete", "move_under": "odl"},
            "policy.prune.move_under",
            "no item has the key 'odl'; did you mean 'old'?",
        ),
        (
            {"mode": "obsolete", "set": {"Stauts": "x"}},
            "policy.prune.set.Stauts",
            "did you mean 'Status'?",
        ),
    ],
)
def test_a_policy_that_does_not_fit(rig, prune, path, problem):
    with pytest.raises(DocumentError) as caught:
        rig.plan(left(rig, 1, **prune))
    assert caught.value.path == path
    assert problem in caught.value.problem
