"""Wanted against found: keep a value, change it, or call it a conflict."""

from __future__ import annotations

from enum import Enum

from airflow_codebeamer.skeleton.document import Policy
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
    is_foreign: bool,
    is_protected: bool,
    policy: Policy,
) -> Verdict:
    """Judge one field; `is_foreign`: somebody else changed the item last.

    Not promised: that the other one changed this very field. The server says
    who changed an item last, and only its history would say what.
    """
    if is_same(shape, wanted, found):
        return Verdict.SAME
    if not is_foreign or (policy.foreign_edit == "overwrite" and not is_protected):
        return Verdict.CHANGE
    if is_protected or policy.foreign_edit == "keep":
        return Verdict.KEEP
    return Verdict.CONFLICT
