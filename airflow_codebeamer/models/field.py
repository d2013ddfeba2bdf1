"""FieldValue: the value of one field, told apart by its `type`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from airflow_codebeamer.ids import FieldId
from airflow_codebeamer.models.reference import Answer, Reference

__all__ = ["FieldValue", "plain"]


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

    @property
    def is_table(self) -> bool:
        """Whether it holds rows."""
        return self.type == "TableFieldValue"

    def request(self) -> dict[str, Any]:
        """Return the properties that a request may carry, and no other."""
        body: dict[str, Any] = {"type": self.type}
        if self.field_id is not None:
            body["fieldId"] = self.field_id
        if self.name:
            body["name"] = self.name
        if self.values is not None:
            body["values"] = plain(self.values)
        else:
            body["value"] = self.value
        return body


def plain(value: Any) -> Any:
    """Return a value as a request may carry it.

    References and field values, as models or as an answer had them, lose what
    only answers have: a server refuses a request with properties it does not
    declare.
    """
    if isinstance(value, FieldValue | Reference):
        return value.request()
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if "fieldId" in value or str(value.get("type", "")).endswith("FieldValue"):
        return FieldValue.model_validate(value).request()
    if "id" in value:
        return Reference.model_validate(value).request()
    return value
