"""Documents of one line each: a head, and then an item or a row in every line.

For long documents: each line is read, checked and let go, so that only the
items themselves stay in memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.skeleton.problems import first_problem
from airflow_codebeamer.skeleton.reading import Source, only_once, path_text
from airflow_codebeamer.skeleton.wording import described

__all__ = ["is_json_lines", "read_json_lines"]

#: More than any item needs; a line without end would be read as one.
_LONGEST_LINE = 20_000_000


def is_json_lines(path: Path) -> bool:
    """Whether a file says by its name that it holds JSON lines."""
    return path.suffix in (".jsonl", ".ndjson")


def read_json_lines(
    path: Path, model_of: Callable[[Mapping[str, Any]], tuple[str, type[BaseModel]]]
) -> tuple[Mapping[str, Any], list[Any]]:
    """Return the head of a document, and what its other lines hold.

    `model_of` is given the head and says under which name the lines belong to the
    document, and what they are.

    Raises:
        DocumentError: names the line.
    """
    lines = _lines(path)
    head = next(lines, None)
    if head is None:
        raise DocumentError("", f"the document {path} is empty")
    number, value = head
    name, model = model_of(value)
    if name in value:
        raise DocumentError(
            name, f"belongs into the lines after the first, one each (line {number})"
        )
    found = [
        _checked(at, index, line, name, model, path.parent)
        for index, (at, line) in enumerate(lines)
    ]
    return value, found


def _checked(
    number: int,
    index: int,
    line: Any,
    name: str,
    model: type[BaseModel],
    folder: Path,
) -> Any:
    try:
        return model.model_validate(line, context={"folder": folder})
    except ValidationError as error:
        place = (name, index)
        problem = first_problem(error, Source(line, {}), {"": model, "children": model})
        path = path_text(place) + ("." + problem.path if problem.path else "")
        raise DocumentError(path, f"{problem.problem} (line {number})") from None


def _lines(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        with path.open("rb") as file:
            number = 0
            while raw := file.readline(_LONGEST_LINE):
                number += 1
                if raw.strip():
                    yield number, _line(raw, number)
    except OSError as error:
        raise DocumentError(
            "", f"the document {path} cannot be read: {error.strerror or error}"
        ) from error


def _line(raw: bytes, number: int) -> Mapping[str, Any]:
    if len(raw) >= _LONGEST_LINE:
        raise DocumentError("", f"line {number} is longer than {_LONGEST_LINE} bytes")
    try:
        text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        value = json.loads(text, object_pairs_hook=only_once)
    except UnicodeDecodeError as error:
        raise DocumentError("", f"line {number} is not UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise DocumentError(
            "", f"line {number} is not JSON: {error.msg} (column {error.colno})"
        ) from None
    except RecursionError:
        raise DocumentError("", f"line {number} is nested too deeply") from None
    if not isinstance(value, Mapping):
        raise DocumentError(
            "", f"line {number} must be a mapping, found {described(value)}"
        )
    return value
