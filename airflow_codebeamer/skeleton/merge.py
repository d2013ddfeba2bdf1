"""Wanted against found: keep a value, change it, or call it a conflict."""

from __future__ import annotations

from enum import Enum
from typing import Literal

from airflow_codebeamer.skeleton.fields import FieldShape, Value, is_same

__all__ = ["Verdict", "merge"]


class Verdict(Enum):
    """What to do with one owned field of one item."""

    SAME = "same"
    CHANGE = "change"
    KEEP = "keep"
    CONFLICT = "conflict"


def merge(
    shape: FieldShape,
    wanted: Value,
    found: Value,
    *,
    is_edited: bool,
    is_protected: bool,
    policy: Literal["fail", "keep", "overwrite"],
) -> Verdict:
    """Judge one field; `is_edited`: it holds what somebody else wrote."""
    if is_same(shape, wanted, found):
        return Verdict.SAME
    if not is_edited or (policy == "overwrite" and not is_protected):
        return Verdict.CHANGE
    if is_protected or policy == "keep":
        return Verdict.KEEP
    return Verdict.CONFLICT
