from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from airflow_codebeamer.emulator import Emulator, WorldBuilder

Ask = Callable[..., requests.Response]
TRACKER, OTHER_TRACKER = 2001, 2002
A, A1, A2, A3, B, ALIEN = 10001, 10002, 10003, 10004, 10005, 10006
TOP = f"/trackers/{TRACKER}/children"
BELOW_A = f"/items/{A}/children"


@pytest.fixture
def server() -> Any:
    """Items A (with A1, A2, A3) and B at the top, and one in another tracker."""
    builder = WorldBuilder()
    builder.user("bond", system_admin=True)
    ann, eve = builder.user("ann"), builder.user("eve")
    project = builder.project("One", "ONE")
    editor, reader = builder.role(project, "Editor"), builder.role(project, "Reader")
    builder.member(project, ann, editor)
    builder.member(project, eve, reader)
    permissions = {editor: [0, 1, 8], reader: [0]}
    tracker = builder.tracker(project, "T", "T", permissions=permissions)
    other = builder.tracker(project, "O", "O", permissions=permissions)
    top = builder.item(tracker, "A")
    for name in ("A1", "A2", "A3"):
        builder.item(tracker, name, parent=top)
    builder.item(tracker, "B")
    builder.item(other, "alien")
    with Emulator(world=builder.build()) as running:
        yield running


def outline(server: Emulator) -> str:
    """The outline as text: A(A1 A2 A3) B."""
    items = server.items(TRACKER)

    def below(parent: int | None) -> str:
        parts = []
        for item in items:
            if item.get("parent", {}).get("id") == parent:
                inner = below(item["id"])
                parts.append(item["name"] + (f"({inner})" if inner else ""))
        return " ".join(parts)

    return below(None)


def child(item: int, index: int) -> dict[str, Any]:
    return {
        "itemReference": {"id": item, "type": "TrackerItemReference"},
        "index": index,
    }


def order(*items: int) -> dict[str, Any]:
    return {"children": [{"id": n, "type": "TrackerItemReference"} for n in items]}


def test_children_come_in_order_and_in_pages(ask: Ask) -> None:
    answer = ask("eve", "GET", BELOW_A).json()
    assert answer == {
        "page": 1,
        "pageSize": 25,
        "total": 3,
        "itemRefs": [
            {"id": A1, "name": "A1", "type": "TrackerItemReference"},
            {"id": A2, "name": "A2", "type": "TrackerItemReference"},
            {"id": A3, "name": "A3", "type": "TrackerItemReference"},
        ],
    }
    second = ask("eve", "GET", BELOW_A, page=2, pageSize=2).json()
    assert [one["id"] for one in second["itemRefs"]] == [A3]
    top = ask("eve", "GET", TOP).json()
    assert [one["id"] for one in top["itemRefs"]] == [A, B]


def test_reorder(ask: Ask, server: Emulator) -> None:
    answer = ask("ann", "PUT", BELOW_A, order(A1, A3, A2))
    assert [one["id"] for one in answer.json()["itemRefs"]] == [A1, A3, A2]
    assert ask("ann", "PUT", TOP, order(B, A), resultPageSize=1).json()["pageSize"] == 1
    assert outline(server) == "B A(A1 A3 A2)"
    # Sorting is no change of an item.
    assert {item["version"] for item in server.items(TRACKER)} == {1}


@pytest.mark.parametrize("items", [(A1, A2), (A1, A2, A3, B), (A1, A1, A2), ()])
def test_an_order_holds_exactly_the_children(
    ask: Ask, server: Emulator, items: tuple[int, ...]
) -> None:
    assert ask("ann", "PUT", BELOW_A, order(*items)).status_code == 400
    assert outline(server) == "A(A1 A2 A3) B"


def test_add_at_the_end(ask: Ask, server: Emulator) -> None:
    answer = ask("ann", "POST", BELOW_A, {"id": B})
    assert answer.json() == {
        "itemReference": {"id": B, "name": "B", "type": "TrackerItemReference"},
        "index": 3,
    }
    assert outline(server) == "A(A1 A2 A3 B)"
    assert ask("ann", "POST", BELOW_A, {"id": A1}).json()["index"] == 3
    assert outline(server) == "A(A2 A3 B A1)"
    assert ask("ann", "POST", TOP, {"id": A2}).json()["index"] == 1
    assert outline(server) == "A(A3 B A1) A2"


@pytest.mark.parametrize(
    ("index", "wanted"),
    [(0, "A(B A1 A2 A3)"), (1, "A(A1 B A2 A3)"), (3, "A(A1 A2 A3 B)")],
)
def test_insert(ask: Ask, server: Emulator, index: int, wanted: str) -> None:
    answer = ask("ann", "PATCH", BELOW_A, child(B, index), mode="INSERT")
    assert answer.json()["index"] == index
    assert outline(server) == wanted


def test_insert_among_its_own(ask: Ask, server: Emulator) -> None:
    ask("ann", "PATCH", BELOW_A, child(A3, 0), mode="INSERT")
    assert outline(server) == "A(A3 A1 A2) B"
    ask("ann", "PATCH", BELOW_A, child(A3, 2), mode="INSERT")
    assert outline(server) == "A(A1 A2 A3) B"
    assert ask("ann", "PATCH", BELOW_A, child(A3, 3), mode="INSERT").status_code == 400
    assert ask("ann", "PATCH", BELOW_A, child(A3, -1), mode="INSERT").status_code == 400


def test_insert_at_the_top_is_the_default_there(ask: Ask, server: Emulator) -> None:
    assert ask("ann", "PATCH", TOP, child(A2, 0)).status_code == 200
    assert outline(server) == "A2 A(A1 A3) B"
    assert ask("ann", "PATCH", TOP, child(A2, 0), mode="REMOVE").status_code == 400


def test_remove_moves_next_to_the_parent(ask: Ask, server: Emulator) -> None:
    assert ask("ann", "PATCH", BELOW_A, child(A2, 0), mode="REMOVE").status_code == 400
    assert ask("ann", "PATCH", BELOW_A, child(A2, 1), mode="REMOVE").status_code == 200
    assert outline(server) == "A(A1 A3) A2 B"


def test_replace_moves_the_old_one_up(ask: Ask, server: Emulator) -> None:
    assert ask("ann", "PATCH", BELOW_A, child(B, 1), mode="REPLACE").status_code == 200
    assert outline(server) == "A(A1 B A3) A2"
    assert ask("ann", "PATCH", BELOW_A, child(B, 9), mode="REPLACE").status_code == 400


@pytest.mark.parametrize(
    ("path", "item", "status"),
    [
        (f"/items/{A1}/children", A, 400),
        (BELOW_A, A, 400),
        (BELOW_A, ALIEN, 400),
        (TOP, ALIEN, 400),
        (BELOW_A, 99, 404),
        ("/items/99/children", B, 404),
        ("/trackers/99/children", B, 404),
    ],
)
def test_impossible_places(
    ask: Ask, server: Emulator, path: str, item: int, status: int
) -> None:
    before = server.world()
    for method, body, query in (
        ("POST", {"id": item}, {}),
        ("PATCH", child(item, 0), {"mode": "INSERT"}),
    ):
        assert ask("ann", method, path, body, **query).status_code == status
    assert server.world() == before


def test_a_new_parent_is_a_change_with_a_history(ask: Ask, server: Emulator) -> None:
    ask("ann", "POST", BELOW_A, {"id": B})
    versions = ask("ann", "GET", f"/items/{B}/history").json()["versions"]
    assert len(versions) == 2
    (change,) = versions[1]["changes"]
    assert change["name"] == "Parent"
    assert change["newValue"]["values"][0]["id"] == A
    server.assume(move_makes_version=False)
    ask("ann", "POST", TOP, {"id": B})
    assert len(ask("ann", "GET", f"/items/{B}/history").json()["versions"]) == 2


def test_readers_cannot_sort(ask: Ask, server: Emulator) -> None:
    for path, body in ((BELOW_A, order(A3, A2, A1)), (TOP, order(B, A))):
        assert ask("eve", "PUT", path, body).status_code == 403
    assert ask("eve", "POST", BELOW_A, {"id": B}).status_code == 403
    assert outline(server) == "A(A1 A2 A3) B"
