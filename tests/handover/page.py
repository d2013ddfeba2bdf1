"""The page about the hand-over run, from what was measured."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MEASURED = Path(__file__).with_name("measured.json")
PAGE = ROOT / "docs" / "explanation" / "handover.md"


def table(runs: Iterable[dict[str, Any]]) -> str:
    """Return the page's part that was measured."""
    found = list(runs)
    rows = [
        ("processes, rounds of each", _size),
        ("times the tracker was held", lambda one: one["rounds"]),
        ("kills (-9), of these while it was held", _kills),
        ("holders that lost their lock alive", lambda one: one["lost"]),
        ("requests that set permissions", lambda one: one["puts"]),
        ("blocks of one account in a row", lambda one: one["blocks"]),
        ("overlaps, wrong epochs, drift, wrong permissions", _problems),
        ("from a release to the next holder, p50", lambda one: _ms(one, "p50")),
        ("the same, p99", lambda one: _ms(one, "p99")),
        ("from the kill of a holder to the next, p50", lambda one: _dead(one, "p50")),
        ("the same, longest", lambda one: _dead(one, "longest")),
        ("the whole run", lambda one: f"{one['seconds']:.0f} s"),
    ]
    names = " | ".join(one["store"] for one in found)
    lines = [f"| | {names} |", "| --- |" + " --- |" * len(found)]
    for label, cell in rows:
        lines.append(f"| {label} | {' | '.join(str(cell(one)) for one in found)} |")
    return "\n".join(lines)


def _size(one: dict[str, Any]) -> str:
    return f"{one['size']['processes']}, {one['size']['rounds']}"


def _kills(one: dict[str, Any]) -> str:
    return f"{one['kills']}, {one['under_lock']}"


def _problems(one: dict[str, Any]) -> int:
    return len(one["problems"])


def _ms(one: dict[str, Any], which: str) -> str:
    return f"{one['handover_ms'][which]:.0f} ms"


def _dead(one: dict[str, Any], which: str) -> str:
    return f"{one['takeover_ms'][which] / 1000:.1f} s"


def page(runs: Iterable[dict[str, Any]]) -> str:
    """Return the whole page, its prose as it stands and its table as measured."""
    head, _, rest = PAGE.read_text().partition("<!-- measured -->")
    tail = rest.partition("<!-- end of measured -->")[2]
    return f"{head}<!-- measured -->\n\n{table(runs)}\n\n<!-- end of measured -->{tail}"
