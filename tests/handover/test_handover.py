"""A small hand-over run, what its judge sees, and the page of the large one."""

from __future__ import annotations

import json

import pytest

from tests.handover.judging import blocks_of, overlaps
from tests.handover.page import MEASURED, PAGE, page
from tests.handover.run import Size, play


def test_three_processes_pass_a_tracker_on_and_one_is_killed(tmp_path):
    size = Size(3, rounds=4, kills=1, kill_every_seconds=2.5)
    found = play(size, f"sqlite:///{tmp_path / 'store.db'}", "SQLite")
    assert found.problems == []
    assert found.kills == 1
    # A round that was killed before it held the tracker is not done again.
    assert 11 <= found.rounds <= 12
    assert found.handover_ms


def _put(user, at, rights, role=1):
    return {
        "user": user,
        "time": f"2026-01-01T00:00:{at:02}.000",
        "path": f"/roles/{role}/permissions",
        "status": 200,
        "body": {"permissions": list(range(rights))},
    }


@pytest.mark.parametrize(
    ("kill", "problems"),
    [(None, 1), (3, 0), (8, 1)],
    ids=["alive", "killed in between", "killed too late"],
)
def test_who_comes_between_two_requests_of_a_holder_is_seen(kill, problems):
    puts = [
        _put("one", 1, 5),
        _put("one", 2, 2),
        _put("two", 4, 5),
        _put("two", 5, 2),
        _put("one", 6, 5),
    ]
    blocks = blocks_of(puts)
    assert [block.user for block in blocks] == ["one", "two", "one"]
    kills = {"two": ["2026-01-01T00:00:05.500"]}
    if kill is not None:
        kills["one"] = [f"2026-01-01T00:00:{kill:02}.000"]
    assert len(overlaps(blocks, kills, {})) == problems


def test_the_page_is_what_was_measured():
    runs = json.loads(MEASURED.read_text())
    assert PAGE.read_text() == page(runs)
    assert [one["store"] for one in runs] == ["SQLite", "PostgreSQL"]
    for one in runs:
        assert one["problems"] == []
        assert one["size"]["processes"] == 8
        assert one["kills"] > 0
