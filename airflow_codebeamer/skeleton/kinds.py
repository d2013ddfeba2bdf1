"""Kind: what a field holds, and what the kinds have in common."""

from __future__ import annotations

from enum import Enum

__all__ = ["FORMS", "LISTS", "NUMBERS", "TEXTS", "Kind"]


class Kind(Enum):
    """What a field holds."""

    TEXT = "TextFieldValue"
    URL = "UrlFieldValue"
    WIKI = "WikiTextFieldValue"
    INTEGER = "IntegerFieldValue"
    DECIMAL = "DecimalFieldValue"
    BOOL = "BoolFieldValue"
    DATE = "DateFieldValue"
    CHOICE = "ChoiceFieldValue"
    REFERENCE = "reference"
    TABLE = "TableFieldValue"

    @property
    def wire_type(self) -> str:
        """The type that a request must name."""
        return "ChoiceFieldValue" if self is Kind.REFERENCE else str(self.value)


#: An empty one holds an empty list.
LISTS = frozenset({Kind.CHOICE, Kind.REFERENCE, Kind.TABLE})
TEXTS = frozenset({Kind.TEXT, Kind.URL, Kind.WIKI})
NUMBERS = frozenset({Kind.INTEGER, Kind.DECIMAL})
#: How a document writes each kind of reference.
FORMS = {
    "user": "{user: …}",
    "role": "{role: …}",
    "item": "{ref: …}, {item: …} or {tracker: …, key: …}",
}
