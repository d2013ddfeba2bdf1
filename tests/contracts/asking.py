"""The words that the suite's tests share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.contracts.speaking import Said

__all__ = ["SUMMARY", "Answers", "Ask", "Make", "lock", "rename"]

Ask = Callable[..., Said]
Make = Callable[..., int]
Answers = Callable[[Any], None]
SUMMARY = {"fieldId": 3, "type": "TextFieldValue", "value": "changed"}


def rename(ask: Ask, item: int, who: str = "user") -> Said:
    body = {"fieldValues": [SUMMARY]}
    return ask("updateCustomFieldTrackerItem", who=who, itemId=item, body=body)


def lock(ask: Ask, item: int, who: str = "user", **body: Any) -> Said:
    return ask("lockTrackerItem", who=who, itemId=item, body=body)
