"""Where nothing is ever released: a task there may live on, or be followed by another.

`on_kill` runs while the task goes on, `on_retry_callback` after the new try has its
lock, a trigger's `cleanup` at each restart of the triggerer, and a `finally` in all
of these cases.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import airflow_codebeamer

PACKAGE = Path(airflow_codebeamer.__file__).parent
ROOT = PACKAGE.parent
#: The rooms that Airflow calls.
ROOMS = ("hooks", "operators", "plugins", "sensors", "triggers")
#: Methods that give a lock back, and the names under which callbacks do.
RELEASES = {
    "ReleaseLocksNotifier",
    "UnlockTrackerOperator",
    "abandon",
    "break_lock",
    "recover",
    "release",
    "release_locks",
    "restore",
    "undo",
}
FORBIDDEN = {"cleanup", "on_kill", "on_retry_callback"}


def sources() -> Iterator[Path]:
    for room in ROOMS:
        yield from sorted((PACKAGE / room).rglob("*.py"))
    yield from sorted(PACKAGE.glob("*.py"))
    yield from sorted((ROOT / "dags").glob("*.py"))


def names_in(node: ast.AST) -> set[str]:
    """Return every name that code uses, those of attributes included."""
    found = set()
    for one in ast.walk(node):
        if isinstance(one, ast.Name):
            found.add(one.id)
        elif isinstance(one, ast.Attribute):
            found.add(one.attr)
    return found


def reached(names: set[str], functions: dict[str, set[str]]) -> set[str]:
    """Return the names, and what the functions of this module behind them use."""
    seen: set[str] = set()
    while new := names - seen:
        seen |= new
        names = names.union(*(functions.get(name, set()) for name in new))
    return names


def offences(text: str) -> list[str]:
    tree = ast.parse(text)
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    functions: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, kinds):
            functions.setdefault(node.name, set()).update(
                *(names_in(one) for one in node.body)
            )
    found = []
    for node in ast.walk(tree):
        places: list[tuple[str, set[str]]] = []
        if isinstance(node, kinds) and node.name in FORBIDDEN:
            places = [(node.name, functions[node.name])]
        elif isinstance(node, ast.Try) and node.finalbody:
            places = [("finally", set().union(*map(names_in, node.finalbody)))]
        elif isinstance(node, ast.keyword) and node.arg in FORBIDDEN:
            places = [(str(node.arg), names_in(node.value))]
        for place, names in places:
            for name in sorted(reached(names, functions) & RELEASES):
                found.append(f"{place} in line {node_line(node)} reaches {name}")
    return found


def node_line(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 0))


@pytest.mark.parametrize("path", list(sources()), ids=lambda path: path.stem)
def test_nothing_is_released_there(path: Path) -> None:
    assert offences(path.read_text()) == []


@pytest.mark.parametrize(
    ("text", "offence"),
    [
        (
            "class A:\n def on_kill(self):\n  self.engine.release(1)",
            "on_kill in line 2 reaches release",
        ),
        (
            "class A:\n def on_kill(self):\n  self._end()\n"
            " def _end(self):\n  release_locks({})",
            "on_kill in line 2 reaches release_locks",
        ),
        (
            "class A:\n async def cleanup(self):\n  await in_thread(e.release)()",
            "cleanup in line 2 reaches release",
        ),
        (
            "def f():\n try:\n  g()\n finally:\n  h()\ndef h():\n e.undo(1)",
            "finally in line 2 reaches undo",
        ),
        (
            "Lock(task_id='a', on_retry_callback=[ReleaseLocksNotifier()])",
            "on_retry_callback in line 1 reaches ReleaseLocksNotifier",
        ),
    ],
)
def test_each_offence_is_seen(text: str, offence: str) -> None:
    assert offences(text) == [offence]
