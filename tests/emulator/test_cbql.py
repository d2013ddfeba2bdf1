from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import requests

from airflow_codebeamer.emulator import Emulator, WorldBuilder

Ask = Callable[..., requests.Response]


@pytest.fixture(scope="module")
def queried() -> Iterator[Emulator]:
    builder = WorldBuilder()
    builder.user("bond", system_admin=True)
    ann = builder.user("ann")
    for key in ("ONE", "TWO"):
        project = builder.project(key, key)
        tracker = builder.tracker(project, key, key)
        top = builder.item(tracker, f"{key} top")
        builder.item(tracker, "it's low", parent=top, created_by=ann)
    world = builder.build()
    for day, item in enumerate(world["items"], start=1):
        item["created_at"] = f"2026-01-0{day}T10:00:00.000"
        item["modified_at"] = f"2026-02-0{5 - day}T10:00:00.500"
    world["items"][3]["values"]["7"] = [
        {"id": 2, "name": "In Review", "type": "ChoiceOptionReference"}
    ]
    with Emulator(world=world) as server:
        yield server


@pytest.fixture
def query(
    queried: Emulator, asking: Callable[[Emulator], Ask]
) -> Callable[[str], requests.Response]:
    ask = asking(queried)
    return lambda text: ask("bond", "POST", "/items/query", {"queryString": text})


FOUND = [
    ("project.id = 101", [1, 2]),
    ("project.id IN (101, 102)", [1, 2, 3, 4]),
    ("tracker.id IN (2002)", [3, 4]),
    ("tracker.id NOT IN (2002)", [1, 2]),
    ("tracker.id != 2002", [1, 2]),
    ("parent.id = 10001", [2]),
    ("item.id >= 10002 AND id < 10004", [2, 3]),
    ("id > 10001 and id <= 10002", [2]),
    ("id = 10001 OR id = 10004", [1, 4]),
    ("NOT (id = 10001 OR id = 10004)", [2, 3]),
    ("id = 10001 OR id = 10002 AND id = 10003", [1]),
    ("(id = 10001 OR id = 10002) AND id = 10002", [2]),
    ("status = 'New'", [1, 2, 3]),
    ("status = 2", [4]),
    ("status != 'New'", [4]),
    ("status IN ('In Review', 'Approved')", [4]),
    ("name = 'ONE top'", [1]),
    (r"name = 'it\'s low'", [2, 4]),
    ("name != 'ONE top' AND tracker.id = 2001", [2]),
    ("modifiedBy = 'ann'", [2, 4]),
    ("modifiedBy = 2", [2, 4]),
    ("modifiedBy NOT IN (2)", [1, 3]),
    ("createdAt = '2026-01-02 10:00:00'", [2]),
    ("createdAt >= '2026-01-03'", [3, 4]),
    ("createdAt > '2026-01-02 10:00' AND createdAt < '2026-01-04 10:00'", [3]),
    ("modifiedAt > '2026-02-03 10:00:00'", [1, 2]),
    ("modifiedAt <= '2026-02-02 10:00:00'", [4]),
    ("createdAt >= '2027'", []),
    ("id > 10002 ORDER BY id", [3, 4]),
    ("id > 10002 ORDER BY id DESC", [4, 3]),
    ("id > 10000 ORDER BY modifiedAt", [4, 3, 2, 1]),
    ("id > 10000 order by modifiedAt desc", [1, 2, 3, 4]),
]


@pytest.mark.parametrize(("text", "found"), FOUND, ids=[text for text, _ in FOUND])
def test_what_is_understood(
    query: Callable[[str], requests.Response], text: str, found: list[int]
) -> None:
    answer = query(text)
    assert answer.status_code == 200, answer.text
    assert [item["id"] - 10000 for item in answer.json()["items"]] == found
    assert answer.json()["total"] == len(found)


@pytest.mark.parametrize(
    "text",
    [
        "priority = 'High'",
        "name LIKE 'a'",
        "modifiedAt >= -1m",
        "id BETWEEN 1 AND 2",
        "status < 'New'",
        "modifiedAt IN ('2026')",
        "id = 'text'",
        "name = 5",
        "id = 1 ORDER BY name",
        "id = 1 id = 2",
        "id # 1",
        "EXISTS (id = 1)",
    ],
)
def test_the_rest_is_a_501_that_quotes_the_query(
    query: Callable[[str], requests.Response], text: str
) -> None:
    answer = query(text)
    assert answer.status_code == 501
    assert text in answer.json()["message"]


@pytest.mark.parametrize(
    "text",
    ["", "id =", "id IN (1", "(id = 1", "createdAt = 'yesterday'", "ORDER BY id"],
)
def test_what_nobody_understands_is_a_400(
    query: Callable[[str], requests.Response], text: str
) -> None:
    assert query(text).status_code == 400


def test_pages_by_get_and_post(
    queried: Emulator, asking: Callable[[Emulator], Ask]
) -> None:
    ask = asking(queried)
    asked = {"queryString": "id > 0", "page": 2, "pageSize": 3}
    by_post = ask("bond", "POST", "/items/query", asked).json()
    assert (by_post["page"], by_post["pageSize"], by_post["total"]) == (2, 3, 4)
    assert [item["id"] for item in by_post["items"]] == [10004]
    assert ask("bond", "GET", "/items/query", **asked).json() == by_post
    assert by_post["items"][0] == ask("bond", "GET", "/items/10004").json()
    beyond = ask("bond", "GET", "/items/query", **{**asked, "page": 3}).json()
    assert (beyond["items"], beyond["total"]) == ([], 4)
    for wrong in ({"page": 0}, {"pageSize": 501}, {"pageSize": -1}):
        answer = ask("bond", "POST", "/items/query", {**asked, **wrong})
        assert answer.status_code == 400
    assert ask("bond", "GET", "/items/query", **asked, baselineId=1).status_code == 501
