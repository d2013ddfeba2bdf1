"""Tables: fields that hold rows of values, hidden columns included.

A row is kept as the list of its cells, each in the shape of a field value and in
the order of the columns. Hidden columns belong to the server: it numbers every
row in them, and a row keeps its number as long as it keeps its place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.world import World

__all__ = ["complete", "row_changes", "rows_of", "visible"]

Read = Callable[[dict[str, Any], dict[str, Any]], Any]
# What a cell without value holds: a column that has a kind of value shows one.
_WIKI = "WikiTextFieldValue"
_NOTHING = {"TextFieldValue": "", _WIKI: "", "BoolFieldValue": False}


def rows_of(known: dict[str, Any], given: Any, read: Read) -> Any:
    """Read the rows of a request; `read` reads one cell for its column.

    Raises:
        RefusedError: A row has a cell too many or too few, or a wrong one (400).
    """
    columns = {column["id"]: column for column in known["columns"]}
    kept = []
    for index, row in enumerate(given or ()):
        cells = {}
        for cell in row:
            column = columns.get(cell["fieldId"])
            if column is None or cell["fieldId"] in cells:
                raise _wrong_row(known, index, f"no column {cell['fieldId']}")
            cells[column["id"]] = _cell(column, read(column, cell))
        for column in known["columns"]:
            if column["id"] not in cells and not column["hidden"]:
                raise _wrong_row(known, index, f"a column {column['name']}")
        kept.append([cells[at] for at in columns if cells.get(at) is not None])
    return kept or None


def _wrong_row(known: dict[str, Any], index: int, what: str) -> RefusedError:
    return RefusedError(400, f"Row {index} of table {known['name']} must have {what}.")


def _cell(column: dict[str, Any], kept: Any) -> dict[str, Any] | None:
    """Return a cell in the shape of a field value; None where it would have none."""
    model = column["valueModel"].partition("<")[0]
    cell = {"fieldId": column["id"], "name": column["name"], "type": model}
    kept = _NOTHING.get(model) if kept is None else kept
    if model == "ChoiceFieldValue":
        return {**cell, "values": kept or []}
    return None if kept is None else {**cell, "value": kept}


def complete(world: World, known: dict[str, Any], rows: Any, before: Any) -> Any:
    """Fill the hidden columns of new rows, from the rows that were there before."""
    hidden = [
        column
        for column in known["columns"]
        if column["hidden"] and column["valueModel"] in ("TextFieldValue", _WIKI)
    ]
    if not hidden or not rows:
        return rows
    made = []
    for index, row in enumerate(rows):
        old = before[index] if before and index < len(before) else ()
        there = {cell["fieldId"]: cell for cell in (*old, *row)}
        for column in hidden:
            if not there.get(column["id"], {}).get("value"):
                number = str(world.next_id("row", 1))
                there[column["id"]] = {
                    "fieldId": column["id"],
                    "name": column["name"],
                    "type": column["valueModel"],
                    "value": number,
                }
        made.append([there[at["id"]] for at in known["columns"] if at["id"] in there])
    return made


def visible(world: World, known: dict[str, Any], rows: Any) -> Any:
    """Return rows as they are shown, without hidden columns unless that is assumed."""
    if world.assumptions["hidden_columns_shown"]:
        return rows
    hidden = {column["id"] for column in known["columns"] if column["hidden"]}
    return [[cell for cell in row if cell["fieldId"] not in hidden] for row in rows]


def row_changes(old: Any, new: Any) -> list[tuple[int, Any, Any]]:
    """Return the number, the old and the new cells of every row that differs."""
    before, after = old or [], new or []
    pairs = [
        (
            before[index] if index < len(before) else None,
            after[index] if index < len(after) else None,
        )
        for index in range(max(len(before), len(after)))
    ]
    return [(at, one, two) for at, (one, two) in enumerate(pairs) if one != two]
