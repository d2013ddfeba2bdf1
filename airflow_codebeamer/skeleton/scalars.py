"""Text, numbers, truth values and dates: from a document's form into ours."""

from __future__ import annotations

import math
from datetime import datetime

from airflow_codebeamer.skeleton.values import DocumentValue, Html, Plain, Wiki
from airflow_codebeamer.skeleton.wording import described

__all__ = [
    "date_of",
    "folded",
    "moment_of",
    "number_of",
    "same_number",
    "text_of",
    "truth_of",
    "wiki_of",
]

#: Integer fields are 32 bits wide in the server's own description.
_INT32 = 2**31


def text_of(value: DocumentValue) -> str:
    """Return the text of a text field."""
    match value:
        case str():
            return value
        case Plain(plain=text):
            return text
        case Wiki() | Html():
            raise ValueError("a text field takes plain text, not markup")
        case _:
            raise ValueError(
                f"must be text, found {described(value)}; put it in quotes"
            )


def number_of(value: DocumentValue, *, is_whole: bool) -> int | float:
    """Return a number, whole and of 32 bits where the field is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"must be a number, found {described(value)}")
    if not math.isfinite(value):
        raise ValueError(f"must be a number that can be written, found {value}")
    if is_whole and value != int(value):
        raise ValueError(f"must be a whole number, found {value}")
    if is_whole and not -_INT32 <= value < _INT32:
        raise ValueError(f"must be a whole number of 32 bits, found {value}")
    return int(value) if is_whole else value


def truth_of(value: DocumentValue) -> bool:
    """Return a truth value."""
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, found {described(value)}")
    return value


def date_of(value: DocumentValue) -> str:
    """Return a date as text without zone, with milliseconds."""
    if isinstance(value, str):
        try:
            if datetime.fromisoformat(value).tzinfo is not None:
                raise ValueError(
                    "leave the zone out: the server shows dates without one"
                )
        except ValueError as error:
            if "zone" in str(error):
                raise
        else:
            return str(moment_of(value))
    raise ValueError(f"must be a date like 2026-01-31, found {described(value)}")


def moment_of(text: str) -> str | None:
    """Return a moment in our form, None if it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds")


def wiki_of(value: DocumentValue) -> str:
    """Return the text of a wiki field."""
    match value:
        case Wiki(wiki=text):
            return text
        case Html(html=text):
            # The server's own way to put HTML into a wiki field.
            return f"[{{Html\n\n{text}\n}}]"
        case Plain():
            raise ValueError(
                "a wiki field takes {wiki: …} or {html: …}, {plain: …} only fits"
                " the description and text fields"
            )
        case _:
            return text_of(value)


def folded(value: object) -> str:
    """Return text as readers compare it: line ends and trailing blanks are nothing."""
    text = str(value or "")
    if "\n" not in text and "\r" not in text:
        return text.rstrip()
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).rstrip("\n")


def same_number(one: object, other: object) -> bool:
    """Whether two numbers are the same, written how they may be."""
    left, right = _float(one), _float(other)
    return left == right or math.isclose(left, right, rel_tol=1e-12)


def _float(value: object) -> float:
    return float(value) if isinstance(value, int | float | str) else math.nan
