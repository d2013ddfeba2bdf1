"""A small adversary run, and the page of the large one."""

from __future__ import annotations

import json

from tests.adversary.judging import AFTER, BEFORE, HELD
from tests.adversary.page import MEASURED, PAGE, page
from tests.adversary.run import Size, play


def test_ten_users_write_before_and_after_and_not_under_the_lock():
    size = Size(10, 0.08, free_seconds=0.8, held_seconds=3.0, items=20)
    played = play(size)
    assert played.verdict.problems == []
    assert played.same
    assert played.generated > 0
    people = played.verdict.people
    assert sum(c for (phase, _, word), c in people.items() if phase == HELD) > 50
    assert not any(word == "ok" for phase, _, word in people if phase == HELD)
    for phase in (BEFORE, AFTER):
        assert any(word == "ok" for at, _, word in people if at == phase)
    assert played.verdict.told["changed"] > 0
    assert sum(played.verdict.statuses.values()) == played.verdict.requests


def test_the_page_is_what_was_measured():
    found = json.loads(MEASURED.read_text())
    assert PAGE.read_text() == page(found)
    assert found["problems"] == []
    assert found["same"]
    assert found["size"]["users"] == 50
    assert found["size"]["held_seconds"] >= 60
