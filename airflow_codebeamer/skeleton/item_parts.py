"""What an item of a document has besides its fields: steps and associations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import PlainValidator, StrictBool, StrictStr, WithJsonSchema

from airflow_codebeamer.skeleton.values import (
    Closed,
    ItemNumber,
    Lookup,
    Ref,
    Value,
    read_pointer,
)
from airflow_codebeamer.skeleton.wording import described

__all__ = ["ItemAssociation", "ItemPointer", "TestStep"]

_ITEMS = (Ref, ItemNumber, Lookup)


def _item_pointer(value: Any) -> Any:
    found = read_pointer(value) if isinstance(value, Mapping) else value
    if not isinstance(found, _ITEMS):
        raise ValueError(
            "must point at an item, {ref: …}, {item: …} or {tracker: …, key: …}, found "
            f"{described(value)}"
        )
    return found


#: What may stand at the end of an association.
ItemPointer: TypeAlias = Annotated[
    Ref | ItemNumber | Lookup,
    PlainValidator(_item_pointer),
    WithJsonSchema({"anyOf": [model.model_json_schema() for model in _ITEMS]}),
]


class TestStep(Closed):
    """One step of a test case."""

    #: What is done: wiki markup as text, {wiki: …} or {html: …}.
    action: Value
    #: What should be seen then.
    expected: Value = None
    #: Whether the test case fails when this step does.
    critical: StrictBool = False


class ItemAssociation(Closed):
    """A link from the item to another one."""

    #: What the tracker's pages call it: depends, related, and so on.
    type: StrictStr = "depends"
    #: The item at its end.
    to: ItemPointer
    #: Whether a change at its end makes the item suspect.
    propagate_suspects: StrictBool = False
