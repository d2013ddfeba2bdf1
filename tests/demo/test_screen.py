from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime

from airflow_codebeamer.clock import ManualClock
from airflow_codebeamer.demo.screen import Screen


def screen_with(**options) -> tuple[Screen, io.StringIO, ManualClock]:
    out = io.StringIO()
    clock = ManualClock(datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC))
    return Screen(out=out, clock=clock, **options), out, clock


def test_a_file_gets_plain_lines_with_the_time() -> None:
    screen, out, clock = screen_with()
    screen.title("First part")
    clock.advance(5)
    screen.step("lock", True, "taken [by run 7]", epoch=3)
    assert out.getvalue() == "05:06:07 First part\n05:06:12 ✓ lock: taken [by run 7]\n"


def test_a_long_line_stays_one_line() -> None:
    screen, out, _ = screen_with()
    screen.say("word " * 100)
    assert out.getvalue().count("\n") == 1


def test_progress_is_a_line_every_few_seconds() -> None:
    screen, out, clock = screen_with()
    with screen.progress("items", 100) as advance:
        for done in range(101):
            advance(done, "generate")
            clock.advance(0.125)
    lines = out.getvalue().splitlines()
    assert [re.sub(r"^\S+ +", "", line) for line in lines] == [
        "items: 0 of 100, generate",
        "items: 24 of 100, generate",
        "items: 48 of 100, generate",
        "items: 72 of 100, generate",
        "items: 96 of 100, generate",
    ]


def test_one_wrong_step_makes_the_whole_wrong() -> None:
    screen, out, _ = screen_with()
    assert not screen.is_ok, "nothing shown is nothing proven"
    assert screen.step("one", True, "fine")
    assert screen.is_ok
    assert not screen.step("two", False, "not so")
    screen.step("three", True, "fine")
    assert not screen.is_ok
    assert "✗ two: not so" in out.getvalue()


def test_json_is_one_document_and_nothing_else() -> None:
    screen, out, clock = screen_with(as_json=True)
    screen.title("First part")
    screen.say("explained")
    with screen.progress("items", 2) as advance:
        advance(1)
    clock.advance(1.5)
    screen.step("plan", True, "2 items", create=2)
    screen.finish(logs=None)
    assert json.loads(out.getvalue()) == {
        "ok": True,
        "seconds": 1.5,
        "steps": [
            {
                "name": "plan",
                "ok": True,
                "says": "2 items",
                "figures": {"create": 2},
                "seconds": 1.5,
            }
        ],
        "logs": None,
    }


def test_an_encoding_without_check_marks_gets_words() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="latin-1")
    Screen(out=out).step("lock", True, "taken")
    assert raw.getvalue().endswith(b" ok lock: taken\n")
