"""Tables: fields that hold rows, each row one value for each of its columns.

A document names cells by their columns; a cell that a row does not name is empty.
Hidden columns are the server's: they are neither read nor sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.skeleton.reading import Step, path_text
from airflow_codebeamer.skeleton.tokens import Directory
from airflow_codebeamer.skeleton.values import DocumentValue
from airflow_codebeamer.skeleton.wording import suggestion

if TYPE_CHECKING:
    from airflow_codebeamer.skeleton.document import TestStep
    from airflow_codebeamer.skeleton.fields import FieldShape, Value

__all__ = ["STEP_COLUMNS", "cells_of", "parse_rows", "rows_of_steps", "show_rows"]

DocumentRow = Mapping[str, DocumentValue]

#: What the columns of a table of test steps are called on every server.
STEP_COLUMNS = ("Action", "Expected result", "Critical")
_LONGEST_CELL = 24


def parse_rows(
    table: FieldShape,
    rows: Iterable[DocumentRow],
    place: tuple[Step, ...],
    directory: Directory | None,
) -> tuple[tuple[Value, ...], ...]:
    """Return rows of a document in our form.

    Raises:
        DocumentError: a column that the table has not, or a cell that does not fit.
    """
    names = {column.name for column in table.columns}
    made = []
    for index, row in enumerate(rows):
        for name in row:
            if name not in names:
                raise DocumentError(
                    path_text((*place, index, name)),
                    f"the table {table.name!r} has no column {name!r}"
                    f"{suggestion(name, names)}",
                )
        made.append(
            tuple(
                column.parse(
                    row.get(column.name),
                    path_text((*place, index, column.name)),
                    directory,
                )
                for column in table.columns
            )
        )
    return tuple(made)


def rows_of_steps(steps: Iterable[TestStep]) -> list[DocumentRow]:
    """Return test steps as rows of their table; nothing is said of "not critical"."""
    action, expected, critical = STEP_COLUMNS
    return [
        {action: step.action, expected: step.expected}
        | ({critical: True} if step.critical else {})
        for step in steps
    ]


def cells_of(columns: Sequence[FieldShape], row: Iterable[Any]) -> tuple[Value, ...]:
    """Return a row as the server sent it in our form."""
    found = {cell.get("fieldId"): cell for cell in row}
    made: list[Value] = []
    for column in columns:
        cell = found.get(column.field_id, {})
        values = cell.get("values")
        made.append(column.ours(values if values is not None else cell.get("value")))
    return tuple(made)


def show_rows(columns: Sequence[FieldShape], rows: Sequence[tuple[Value, ...]]) -> str:
    """Return rows as a person reads them: how many, and how they begin."""
    count = f"{len(rows)} row{'s' if len(rows) != 1 else ''}"
    cells = (
        column.show(cell)[:_LONGEST_CELL]
        for row in rows[:2]
        for column, cell in zip(columns, row, strict=True)
        if cell not in (None, "", (), False)
    )
    text = f"{count} ({' | '.join(cells)}"
    return f"{text[:90]}…)" if len(text) > 90 or len(rows) > 2 else f"{text})"
