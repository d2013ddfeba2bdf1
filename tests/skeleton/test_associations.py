from __future__ import annotations

from typing import Any

import pytest

from airflow_codebeamer.errors import BadRequestError, DocumentError
from airflow_codebeamer.skeleton import Application, read_snapshot, verify

DEPENDS, RELATED = 1, 4


class Killed(BaseException):
    """The process is gone."""


class Linked:
    """Documents with associations, applied as under a lock, and what stands there."""

    def __init__(self, rig: Any) -> None:
        self.rig = rig

    def apply(self, *items: dict[str, Any], **more: Any) -> Any:
        rig = self.rig
        run = rig.run()
        application = Application(
            rig.client,
            rig.journal,
            rig.runs,
            clock=rig.clock,
            settle_seconds=0.0,
            say=lambda _: None,
            progress=lambda _: None,
        )
        document = rig.document(*items, **more)
        rig.server.clear_calls()
        planned = application.prepare(document, rig.tracker_id)
        if not planned.is_empty:
            planned = application.prepare(document, rig.tracker_id, planned)
            application.carry_out(planned, run, lambda: None)
        self.requests = len(rig.server.calls())
        return run

    def links(self) -> list[tuple[str, str, str, str]]:
        """Return start, type, end and author of every association."""
        world = self.rig.server.world()
        names = {
            item["id"]: item["values"]["3"]
            for item in world["items"]
            if not item["trashed"]
        }
        people = {user["id"]: user["name"] for user in world["users"]}
        types = {DEPENDS: "depends", RELATED: "related"}
        return sorted(
            (
                names[one["start"]],
                types[one["properties"]["type"]],
                names[one["end"]],
                people[one["created_by"]],
            )
            for one in world["associations"]
            if one["start"] in names
        )

    def link(self, start: str, end: str, type_id: int = RELATED) -> None:
        """Have somebody else link two items."""
        ends = [self.rig.item(name)["id"] for name in (start, end)]
        one, other = ({"id": n, "type": "TrackerItemReference"} for n in ends)
        body = {
            "from": one,
            "to": other,
            "type": {"id": type_id, "type": "AssociationTypeReference"},
        }
        assert self.rig.server.act("bond", "POST", "/v3/associations", body) == 200


@pytest.fixture
def linked(rig: Any) -> Linked:
    return Linked(rig)


def item(key: str, *ends: str, **more: Any) -> dict[str, Any]:
    links = [{"to": {"ref": end}} for end in ends]
    return {"key": key, "name": key, "associations": links, **more}


def plain(key: str) -> dict[str, Any]:
    return {"key": key, "name": key}


A_B = ("a", "depends", "b", "generator")


def test_new_items_are_linked_also_in_circles(linked):
    document = (item("a", "b"), item("b", "a"), plain("c"))
    linked.apply(*document)
    assert linked.links() == [A_B, ("b", "depends", "a", "generator")]
    linked.apply(*document)
    assert linked.links() == [A_B, ("b", "depends", "a", "generator")]


def test_what_they_cost_is_counted_and_told(linked):
    document = (item("a", "b", "c"), item("b", "c"), plain("c"))
    linked.apply(*document)
    # Schema, types, items; the look under the lock; items and links written; items
    # and relations read back.
    assert linked.requests == 3 + 1 + 3 + 3 + 2
    rig = linked.rig
    again = rig.plan(rig.document(*document))
    assert again.is_empty
    assert again.costs == (
        "2 items name their associations: each look at them takes 1 requests, the "
        "first one 3 more for their types and authors",
    )
    assert "i 2 items name" in again.text()
    linked.apply(*document)
    # Schema, types, items, relations, and each association once.
    assert linked.requests == 3 + 1 + 3


def test_a_document_without_associations_asks_for_none(linked):
    linked.apply(item("a", "b"), plain("b"))
    linked.apply(plain("a"), plain("b"))
    paths = {call["path"].partition("/v3")[2] for call in linked.rig.server.calls()}
    assert not [path for path in paths if "assoc" in path or "relations" in path]
    assert linked.links() == [A_B]


def test_ours_are_kept_and_removed_and_foreign_ones_stay(linked):
    linked.apply(item("a", "b"), plain("b"), plain("c"))
    linked.link("a", "c")
    linked.apply(item("a"), plain("b"), plain("c"))
    assert linked.links() == [("a", "related", "c", "bond")]


def test_a_foreign_one_that_says_the_same_counts(linked):
    linked.apply(plain("a"), plain("b"))
    linked.link("a", "b", DEPENDS)
    linked.apply(item("a", "b"), plain("b"))
    assert linked.links() == [("a", "depends", "b", "bond")]


def test_another_type_is_another_association(linked):
    linked.apply(item("a", "b"), plain("b"))
    related = [{"type": "related", "to": {"ref": "b"}}]
    linked.apply({**plain("a"), "associations": related}, plain("b"))
    assert linked.links() == [("a", "related", "b", "generator")]


def test_whether_it_propagates_suspects_is_ours_too(linked):
    linked.apply(item("a", "b"), plain("b"))
    suspects = [{"to": {"ref": "b"}, "propagate_suspects": True}]
    document = ({**plain("a"), "associations": suspects}, plain("b"))
    linked.apply(*document)
    (one,) = linked.rig.server.world()["associations"]
    assert one["properties"]["propagatingSuspects"]
    assert linked.rig.plan(linked.rig.document(*document)).is_empty


def test_ends_may_be_given_by_number_and_by_key(linked):
    rig = linked.rig
    linked.apply(plain("b"))
    number = rig.item("b")["id"]
    by_key = {"tracker": rig.tracker_id, "key": "b"}
    links = [{"type": "related", "to": {"item": number}}, {"to": by_key}]
    linked.apply(plain("b"), {**plain("a"), "associations": links})
    assert linked.links() == [A_B, ("a", "related", "b", "generator")]


@pytest.mark.parametrize(
    ("given", "path", "problem"),
    [
        ({"to": {"ref": "nobody"}}, ".to", "no item has the key 'nobody'"),
        ({"type": "dependz", "to": {"ref": "a"}}, ".type", "did you mean 'depends'?"),
        ({"to": {"user": "bond"}}, ".to", "must point at an item"),
        ({"to": "a"}, ".to", "must point at an item"),
        ({"type": "depends"}, ".to", "the property 'to' is missing"),
        ({"to": {"ref": "a"}, "tpye": "x"}, ".tpye", "did you mean 'type'?"),
    ],
)
def test_what_cannot_be_linked_is_refused(rig, given, path, problem):
    with pytest.raises(DocumentError) as caught:
        rig.plan(rig.document({**plain("a"), "associations": [given]}))
    assert caught.value.path == f"items[0].associations[0]{path}"
    assert problem in caught.value.problem


def test_the_same_twice_is_refused(rig):
    with pytest.raises(DocumentError, match="says what another says already"):
        rig.plan(rig.document(item("a", "b", "b"), plain("b")))


def test_the_plan_names_them(linked):
    rig = linked.rig
    linked.apply(item("a", "b"), plain("b"), plain("c"))
    text = rig.plan(rig.document(item("a", "c"), plain("b"), plain("c"))).text()
    assert "1 associations to make, 1 associations to remove" in text
    assert f"+ a: depends item:{rig.item('c')['id']}" in text
    assert f"- a: depends item:{rig.item('b')['id']}" in text
    new = rig.plan(rig.document(item("a", "d"), plain("d"))).markdown()
    assert "- a: depends d" in new


def test_a_lost_answer_makes_no_second_association(linked):
    linked.apply(plain("a"), plain("b"))
    linked.rig.server.add_fault(
        {"kind": "drop_answer", "operation": "createAssociation", "nth": 1}
    )
    linked.apply(item("a", "b"), plain("b"))
    assert linked.links() == [A_B]


def test_one_that_was_removed_meanwhile_is_a_finding(linked):
    rig = linked.rig
    linked.apply(item("a", "b"), plain("b"))
    document = rig.document(item("a", "b"), plain("b"))
    number = rig.server.world()["associations"][0]["id"]
    path = f"/v3/associations/{number}"
    assert rig.server.act("bond", "DELETE", path) == 200
    snapshot = read_snapshot(rig.client, rig.tracker_id, document)
    (finding,) = verify(document, snapshot)
    assert "the association depends to item:" in finding
    assert finding.endswith("is missing")


def test_a_rollback_unlinks_and_links_again(linked):
    linked.apply(item("a", "b"), plain("b"), plain("c"))
    linked.link("a", "c")
    before = linked.links()
    run = linked.apply(item("a", "c"), item("b", "new"), plain("c"), item("new", "a"))
    assert linked.links() != before
    report = linked.rig.roll_back(run)
    assert report.left == ()
    assert linked.links() == before
    assert any("association made again" in line for line in report.undone)
    assert linked.rig.roll_back(run).undone == ()


def test_a_rollback_leaves_what_others_linked_meanwhile(linked):
    linked.apply(plain("a"), plain("b"), plain("c"))
    run = linked.apply(item("a", "b"), plain("b"), plain("c"))
    linked.link("a", "c")
    report = linked.rig.roll_back(run)
    assert report.left == ()
    assert linked.links() == [("a", "related", "c", "bond")]


def test_what_cannot_be_linked_again_is_listed(linked):
    linked.apply(item("a", "b"), plain("b"))
    run = linked.apply(item("a"), plain("b"))
    number = linked.rig.item("b")["id"]
    assert linked.rig.server.act("bond", "DELETE", f"/v3/items/{number}") == 200
    report = linked.rig.roll_back(run)
    assert f"a (item {linked.rig.item('a')['id']}), depends item {number}" in str(
        report.left
    )


def test_a_refused_association_fails_the_run(linked):
    linked.apply(plain("a"), plain("b"))
    linked.rig.server.add_fault(
        {"kind": "status", "operation": "createAssociation", "status": 400}
    )
    with pytest.raises(BadRequestError) as caught:
        linked.apply(item("a", "b"), plain("b"))
    assert "while linking 'a' to item" in str(caught.value.__notes__)


def test_a_rollback_tells_what_was_there_from_what_the_run_made(linked):
    rig = linked.rig
    linked.apply(item("a", "b"), plain("b"))
    before = rig.server.world()["associations"]
    suspects = [{"to": {"ref": "b"}, "propagate_suspects": True}]
    document = rig.document({**plain("a"), "associations": suspects}, plain("b"))
    run, asked = rig.run(), 0

    def guard() -> None:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise Killed

    with pytest.raises(Killed):
        rig.apply(document, run=run, guard=guard)
    assert len(rig.server.world()["associations"]) == 2
    report = rig.roll_back(run)
    assert (len(report.undone), report.left) == (1, ())
    assert rig.server.world()["associations"] == before
