"""The table of a lock's steps, and every enum that the store keeps."""

from __future__ import annotations

import ast
import re
from enum import StrEnum
from pathlib import Path

import pytest
from sqlalchemy import Table, create_engine, insert, select

import airflow_codebeamer
from airflow_codebeamer.database import (
    lock_table,
    role_journal_table,
    run_table,
)
from airflow_codebeamer.journal import RunState
from airflow_codebeamer.locking import LockState
from airflow_codebeamer.locking.roles import Phase
from airflow_codebeamer.locking.states import STEPS

PACKAGE = Path(airflow_codebeamer.__file__).parent
PAGE = PACKAGE.parent / "docs/reference/states.md"
STORED: list[tuple[Table, str, type[StrEnum]]] = [
    (lock_table, "state", LockState),
    (role_journal_table, "phase", Phase),
    (run_table, "state", RunState),
]


def words_of(folder: Path, *, but: str) -> set[str]:
    """Return every string that a room's code contains, docstrings apart."""
    found: set[str] = set()
    for path in sorted(folder.rglob("*.py")):
        if path.name != but:
            tree = ast.parse(path.read_text())
            found |= {
                node.value
                for node in ast.walk(tree)
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }
    return found


def filled(table: Table, number: int) -> dict[str, object]:
    """Return values for what a row must have; keys differ by the number."""
    values: dict[type, object] = {str: f"text {number}", int: number, float: 0.0}
    return {
        column.name: values.get(column.type.python_type, [])
        for column in table.columns
        if not column.nullable and column.server_default is None
    }


def test_every_state_is_reached_from_free_and_leads_back() -> None:
    def reach(start: LockState, *, forwards: bool) -> set[LockState]:
        reached, waiting = {start}, [start]
        while waiting:
            here = waiting.pop()
            for step in STEPS:
                ends = (step.source, step.target)
                near, far = ends if forwards else ends[::-1]
                if near is here and far not in reached:
                    reached.add(far)
                    waiting.append(far)
        return reached

    assert reach(LockState.FREE, forwards=True) == set(LockState)
    assert reach(LockState.FREE, forwards=False) == set(LockState)


def test_every_step_is_taken_somewhere() -> None:
    used = words_of(PACKAGE / "locking", but="states.py")
    assert {step.name for step in STEPS} - used == set()


def test_the_page_shows_the_table_of_steps() -> None:
    rows = re.findall(
        r"^\| ([a-z ]+) \| `(\w+)` \| `(\w+)` \| (yes|no) \|$", PAGE.read_text(), re.M
    )
    assert rows == [
        (
            step.name,
            step.source.value,
            step.target.value,
            "yes" if step.raises_epoch else "no",
        )
        for step in STEPS
    ]


@pytest.mark.parametrize(
    ("table", "column", "kind"),
    STORED,
    ids=[f"{table.name}.{column}" for table, column, _ in STORED],
)
def test_the_schema_takes_every_value_of_an_enum(
    table: Table, column: str, kind: type[StrEnum]
) -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        table.create(connection)
        for number, value in enumerate(kind):
            row = {**filled(table, number), column: value.value}
            connection.execute(insert(table).values(row))
        kept = connection.scalars(select(table.c[column])).all()
    engine.dispose()
    assert [kind(text) for text in kept] == list(kind)
    default = table.c[column].server_default
    if default is not None:
        text = str(default.arg).strip("'")  # type: ignore[attr-defined]
        assert text in {"", *kind}
