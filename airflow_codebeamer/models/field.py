"""FieldValue: the value of one field, told apart by its `type`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from airflow_codebeamer.ids import FieldId
from airflow_codebeamer.models.reference import Answer

__all__ = ["FieldValue"]


class FieldValue(Answer):
    """One field's value as read from or sent to the server.

    `type` names the shape: `TextFieldValue`, `WikiTextFieldValue`,
    `IntegerFieldValue`, `DecimalFieldValue`, `BoolFieldValue`,
    `DateFieldValue`, … carry `value`; `ChoiceFieldValue` carries `values`, a
    list of references; `TableFieldValue` carries `values`, a list of rows.
    A type that we do not know is kept as it came.
    """

    field_id: FieldId | None = Field(default=None, alias="fieldId")
    name: str = ""
    type: str = ""
    value: Any = None
    values: tuple[Any, ...] | None = None

    def request(self) -> dict[str, Any]:
        """Return the properties that a request may carry, and no other."""
        body: dict[str, Any] = {"fieldId": self.field_id, "type": self.type}
        if self.name:
            body["name"] = self.name
        if self.values is not None:
            body["values"] = [_plain(value) for value in self.values]
        else:
            body["value"] = self.value
        return body


def _plain(value: Any) -> Any:
    if isinstance(value, FieldValue):
        return value.request()
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value
