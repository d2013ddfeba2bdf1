from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_codebeamer.emulator import Emulator, RefusedError, WorldBuilder
from airflow_codebeamer.emulator.cbql import parse
from airflow_codebeamer.emulator.world import World

Ask = Callable[..., requests.Response]
# A Friday; the vendor's page on cbQL counts from this moment, ten years earlier.
NOW = "2016-02-05T08:21:11Z"


def some_world() -> dict[str, Any]:
    builder = WorldBuilder()
    builder.user("bond", system_admin=True)
    ann = builder.user("ann")
    values: list[dict[int | str, Any]] = [
        {"Priority": "High", "ASIL": "D", "Factor": 0.5, "External ID": "Key 1"},
        {"Priority": "Low", "ASIL": "A", "Factor": 2, "External ID": "key 22"},
        {"Priority": "High", "Signed": True, "Story Points": 8},
        {"Signed": False, "Start Date": "2016-02-10T10:00:00+02:00"},
    ]
    for key, fields in (("ONE", values[:2]), ("TWO", values[2:])):
        project = builder.project(key, key)
        tracker = builder.tracker(project, key, key)
        top = builder.item(tracker, f"{key} top", fields=fields[0])
        builder.item(tracker, "it's low", parent=top, created_by=ann, fields=fields[1])
    world = builder.build()
    role = {"id": 7, "name": "Crew", "type": "RoleReference"}
    person = {"id": ann, "name": "ann", "type": "UserReference"}
    world["items"][0]["values"]["5"] = [person, role]
    world["items"][1]["values"]["5"] = [role]
    for day, item in enumerate(world["items"], start=1):
        item["created_at"] = f"2026-01-0{day}T10:00:00.000"
        item["modified_at"] = f"2026-02-0{5 - day}T10:00:00.500"
    world["items"][3]["values"]["7"] = [
        {"id": 2, "name": "In Review", "type": "ChoiceOptionReference"}
    ]
    return world


@pytest.fixture(scope="module")
def queried() -> Iterator[Emulator]:
    with Emulator(world=some_world()) as server:
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
    ("id BETWEEN 10002 AND 10003 AND tracker.id = 2001", [2]),
    ("id NOT BETWEEN 10002 AND 10003", [1, 4]),
    ("id = 10001 OR id = 10004", [1, 4]),
    ("NOT (id = 10001 OR id = 10004)", [2, 3]),
    ("NOT NOT id = 10001", [1]),
    ("id = 10001 OR id = 10002 AND id = 10003", [1]),
    ("(id = 10001 OR id = 10002) AND id = 10002", [2]),
    ("status = 'New'", [1, 2, 3]),
    ("status = 2", [4]),
    ("status != 'New'", [4]),
    ("status IN ('In Review', 'Approved')", [4]),
    # The vendor's own example of a query.
    ("priority='High'", [1, 3]),
    ("priority IN ('Low', 2)", [1, 2, 3]),
    ("priority != 'High'", [2, 4]),
    ("assignedTo = 'ann'", [1]),
    ("assignedTo IN ('bond', 'ann')", [1]),
    ("assignedTo = 2 // where 2 = id", None),
    ("assignedTo = 7", []),
    ("assignedToRole IN (7)", [1, 2]),
    ("name = 'ONE top'", [1]),
    ("summary = 'ONE top'", [1]),
    (r"name = 'it\'s low'", [2, 4]),
    ("name != 'ONE top' AND tracker.id = 2001", [2]),
    ("name IN ('ONE top', 'TWO top')", [1, 3]),
    ("name LIKE 'one%'", [1]),
    ("summary LIKE '%O%o%'", [1, 3]),
    ("name LIKE '%low'", [2, 4]),
    ("name LIKE 'low'", []),
    ("name LIKE '%'", [1, 2, 3, 4]),
    ("name NOT LIKE '%low'", [1, 3]),
    ("name LIKE 'it.%'", []),
    ("modifiedBy = 'ann'", [2, 4]),
    ("modifiedBy = 2", [2, 4]),
    ("modifiedBy NOT IN (2)", [1, 3]),
    ("createdBy = 'ann' AND submittedBy != 'bond'", [2, 4]),
    ("createdAt = '2026-01-02 10:00:00'", [2]),
    ("createdAt >= '2026-01-03'", [3, 4]),
    ("createdAt > '2026-01-02 10:00' AND createdAt < '2026-01-04 10:00'", [3]),
    ("submittedAt BETWEEN '2026-01-02' AND '2026-01-03 10'", [2, 3]),
    ("modifiedAt > '2026-02-03 10:00:00'", [1, 2]),
    ("modifiedAt <= '2026-02-02 10:00:00'", [4]),
    ("createdAt >= '2027'", []),
    ("'ASIL' = 'D'", [1]),
    ("ASIL IN ('A', 4)", [2]),
    ("'2001.ASIL' = 'A'", [2]),
    ("'2002.ASIL' = 'A'", []),
    ("'Factor' > 0.4 AND Factor <= 2", [1, 2]),
    ("'Factor' BETWEEN 1 AND 2", [2]),
    ("Factor < 0", []),
    ("'Factor' IN ('2', 3)", [2]),
    ("'External ID' LIKE 'key %'", [1, 2]),
    ("'External ID' = 'key 22'", [2]),
    ("'External ID' != 'key 22'", [1, 3, 4]),
    ("'Signed' = true", [3]),
    ("Signed = 'false'", [4]),
    ("'Story Points' > 1", [3]),
    ("'Start Date' > '2016-02-10 07:59' AND 'Start Date' < '2016-02-10 08:01'", [4]),
    ("'Description' LIKE '%x%'", []),
    ("EXISTS (priority = 'Low') AND id = 10001", [1]),
    ("NOT EXISTS (priority = 'Lowest') AND id = 10001", [1]),
    ("EXISTS (id = 5)", []),
    ("id > 10002 ORDER BY id", [3, 4]),
    ("id > 10002 ORDER BY id DESC", [4, 3]),
    ("id > 10000 ORDER BY modifiedAt", [4, 3, 2, 1]),
    ("id > 10000 order by modifiedAt desc", [1, 2, 3, 4]),
    ("id > 10000 ORDER BY name, id DESC", [1, 3, 4, 2]),
    ("id > 10000 ORDER BY priority DESC, createdAt ASC", [2, 1, 3, 4]),
    ("id > 10000 ORDER BY 'Factor' DESC", [2, 1, 3, 4]),
]


@pytest.mark.parametrize(("text", "found"), FOUND, ids=[text for text, _ in FOUND])
def test_what_is_understood(
    query: Callable[[str], requests.Response], text: str, found: list[int] | None
) -> None:
    answer = query(text)
    if found is None:
        assert answer.status_code == 501
        return
    assert answer.status_code == 200, answer.text
    assert [item["id"] - 10000 for item in answer.json()["items"]] == found
    assert answer.json()["total"] == len(found)


@pytest.mark.parametrize(
    ("when", "moment"),
    [
        ("+0m", "2016-02-05T08:21:11"),
        ("-1m", "2016-01-05T08:21:11"),
        ("+1d", "2016-02-06T08:21:11"),
        ("-2d", "2016-02-03T08:21:11"),
        ("+1w", "2016-02-12T08:21:11"),
        ("-30s", "2016-02-05T08:20:41"),
        ("+10min", "2016-02-05T08:31:11"),
        ("-9h", "2016-02-04T23:21:11"),
        ("+1q", "2016-05-05T08:21:11"),
        ("-1y", "2015-02-05T08:21:11"),
        ("+1wd", "2016-02-08T08:21:11"),
        ("-6wd", "2016-01-28T08:21:11"),
        ("START OF NEXT 2 DAY", "2016-02-07T00:00:00"),
        ("END OF NEXT 1 WEEK", "2016-02-14T00:00:00"),
        ("START OF PREVIOUS 0 WEEK", "2016-02-01T00:00:00"),
        ("START OF PREVIOUS 1 MONTH", "2016-01-01T00:00:00"),
        ("END OF NEXT 0 MONTH", "2016-02-29T00:00:00"),
        ("END OF PREVIOUS 1 YEAR", "2015-12-31T00:00:00"),
        ("START OF NEXT 1 YEAR", "2017-01-01T00:00:00"),
        ("PREVIOUS 1 MONTH", "2016-01-05T08:21:11"),
        ("+999999y", None),
        ("-999999wd", None),
    ],
)
def test_moments_are_counted_from_now(when: str, moment: str | None) -> None:
    world = World.load(some_world())
    now = datetime.fromisoformat(NOW)
    item = world.items[10001]

    def fits(at: str, sign: str) -> bool:
        item.created_at = at
        return parse(f"createdAt {sign} {when}").test(world, now, list)(item)

    if moment is None:
        assert fits(f"{NOW[:-1]}.000", "<") == when.startswith("+")
        return
    assert fits(f"{moment}.000", "=")
    assert fits(f"{moment}.001", ">")
    assert not fits(f"{moment}.001", "<=")


def test_now_is_the_emulators_clock(asking: Callable[[Emulator], Ask]) -> None:
    body = {"queryString": "createdAt >= -1d AND createdAt <= +0d"}
    with Emulator(world=some_world()) as server:
        ask = asking(server)
        assert ask("bond", "POST", "/items/query", body).json()["total"] == 0
        clock = {"now": "2026-01-03T09:00:00Z", "stopped": True}
        requests.post(f"{server.control_url}/clock", json=clock, timeout=10)
        (found,) = ask("bond", "POST", "/items/query", body).json()["items"]
        assert found["id"] == 10002


def test_the_end_of_a_short_month_is_its_last_day() -> None:
    world = World.load(some_world())
    item = world.items[10001]
    for now, when, moment in (
        ("2026-03-31T12:00:00Z", "-1m", "2026-02-28T12:00:00.000"),
        ("2024-02-29T12:00:00Z", "+1y", "2025-02-28T12:00:00.000"),
    ):
        item.created_at = moment
        query = parse(f"createdAt = {when}")
        assert query.test(world, datetime.fromisoformat(now), list)(item)


@pytest.mark.parametrize(
    "text",
    [
        "colour = 'High'",
        "'colour' = 'High'",
        "'9.ASIL' = 'A'",
        "priority LIKE 'a'",
        "priority NOT = 'a'",
        "name > 'a'",
        "description LIKE 'a%'",
        "'Description' = 'a'",
        "'Signed' IN (true)",
        "'Signed' = 1",
        "Factor = 'much'",
        "Factor = true",
        "status < 'New'",
        "status IS NULL",
        "modifiedAt IN ('2026')",
        "modifiedAt >= 5",
        "modifiedAt >= yesterday",
        "modifiedAt >= START NEXT 1 DAY",
        "modifiedAt >= START OF NEXT 1 HOUR",
        "modifiedAt >= START OF LAST 1 DAY",
        "modifiedAt >= +1parsec",
        "id = 'text'",
        "id = -1m",
        "name = 5",
        "id = 1 ORDER BY colour",
        "id = 1 ORDER BY name, colour",
        "id = 1 id = 2",
        "id # 1",
        "EXISTS id = 1",
        "SELECT COUNT('1') WHERE id = 1 GROUP BY status",
        "teamId(1)",
        "a" * 5000 + " = 1",
        "(" * 5000 + "id = 1" + ")" * 5000,
        "NOT " * 5000 + "id = 1",
    ],
    ids=lambda text: text[:40],
)
def test_the_rest_is_a_501_that_quotes_the_query(
    query: Callable[[str], requests.Response], text: str
) -> None:
    answer = query(text)
    assert answer.status_code == 501, answer.text[:300]
    assert text in answer.json()["message"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "id =",
        "id IN (1",
        "(id = 1",
        "id NOT",
        "id BETWEEN 1 AND",
        "createdAt = 'yesterday'",
        "createdAt = '2026-13'",
        "createdAt = '0000'",
        "createdAt = ''",
        "ORDER BY id",
        "id = 1 ORDER BY",
    ],
)
def test_what_nobody_understands_is_a_400(
    query: Callable[[str], requests.Response], text: str
) -> None:
    assert query(text).status_code == 400, query(text).text


WORDS = """id name status 'ASIL' ASIL Factor createdAt = != < >= ( ) , AND OR NOT
IN LIKE BETWEEN EXISTS ORDER BY DESC START END OF NEXT 1 DAY WEEK -1m +9999y 'x' '%'
'2026-02' 0.5 1 99999999999999999999999 true null \\ ' \x00 \u00e9"""
JOINED = st.lists(st.sampled_from(WORDS.split()), max_size=14).map(" ".join)
WORLD = World.load(some_world())


def tried(text: str) -> RefusedError | None:
    """Do a query, and return its refusal."""
    items = WORLD.items.values()
    try:
        query = parse(text)
        test = query.test(WORLD, datetime.now(UTC), items.__iter__)
        query.sorted(WORLD, [item for item in items if test(item)])
    except RefusedError as refusal:
        return refusal
    return None


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(max_size=60), JOINED))
def test_garbage_is_refused_and_never_a_failure(text: str) -> None:
    refusal = tried(text)
    if refusal is not None:
        assert refusal.status in (400, 501)
        assert text in refusal.message


def test_like_may_mind_the_case(asking: Callable[[Emulator], Ask]) -> None:
    with Emulator(world=some_world()) as server:
        ask = asking(server)
        body = {"queryString": "name LIKE 'one%'"}
        assert ask("bond", "POST", "/items/query", body).json()["total"] == 1
        server.assume(like_ignores_case=False)
        assert ask("bond", "POST", "/items/query", body).json()["total"] == 0


def test_a_subquery_finds_only_what_may_be_seen(
    asking: Callable[[Emulator], Ask],
) -> None:
    with Emulator(world=some_world()) as server:
        ask = asking(server)
        body = {"queryString": "id > 0 AND NOT EXISTS (priority = 'Low')"}
        assert ask("bond", "POST", "/items/query", body).json()["total"] == 0
        assert ask("ann", "POST", "/items/query", body).json()["total"] == 0


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
    assert ask("bond", "GET", "/items/query", **asked, baselineId=1).status_code == 400
