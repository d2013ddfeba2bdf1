"""What is wrong with a document, in the words of its author."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.skeleton.reading import Source, Step, path_text
from airflow_codebeamer.skeleton.wording import described, suggestion

__all__ = ["first_problem"]

#: Steps that pydantic adds to a place and that are not in the document.
_TAGS = ("[key]", "int", "str", "nullable")

Models = Mapping[str, type[BaseModel]]


def first_problem(
    error: ValidationError, source: Source, models: Models
) -> DocumentError:
    """Return the first problem; `models` are the parts by the property they are."""
    details = error.errors(include_url=False)
    # A misspelt name is also a missing one; the misspelling says more.
    first = min(details, key=lambda detail: detail["type"] != "extra_forbidden")
    place = tuple(step for step in first["loc"] if step not in _TAGS)
    line = source.find_line(place)
    if first["type"].startswith("recursion"):
        return DocumentError(
            path_text(place[:4]) + " …",
            "this is nested too deeply; write items one after the other, each with "
            "its parent",
        )
    # A union reports once for each of its members: the same place is one problem.
    others = len({detail["loc"][: len(place)] for detail in details} - {place})
    more = f" (and {others} more problem(s))" if others else ""
    where = f" (line {line})" if line else ""
    sentence = _sentence(first, place, models)
    return DocumentError(path_text(place), sentence + where + more)


def _sentence(detail: ErrorDetails, place: tuple[Step, ...], models: Models) -> str:
    kind, found = detail["type"], detail["input"]
    name = str(place[-1]) if place else ""
    match kind:
        case "missing":
            return f"the property {name!r} is missing"
        case "extra_forbidden":
            holder = next((s for s in reversed(place[:-1]) if isinstance(s, str)), "")
            known = _names(models.get(holder, models[""]))
            return f"there is no property {name!r}{suggestion(name, known)}"
        case "string_type" | "int_type":
            return f"must be text, found {described(found)}; put it in quotes"
        case "tuple_type":
            return f"must be a list, found {described(found)}"
        case "string_too_long":
            longest = detail["ctx"]["max_length"]
            return f"is longer than {longest} characters ({len(found)})"
        case "string_too_short":
            return "must not be empty"
        case "string_pattern_mismatch":
            return (
                f"{found!r} does not fit: lower-case letters, digits, '_', '.' and "
                "'-', at most 63"
            )
        case "value_error":
            return detail["msg"].removeprefix("Value error, ")
        case "literal_error":
            return f"is {found!r}, must be {detail['ctx']['expected']}"
        case _:
            return f"{detail['msg']}, found {described(found)}"


def _names(model: type[BaseModel]) -> Iterable[str]:
    return [info.alias or name for name, info in model.model_fields.items()]
