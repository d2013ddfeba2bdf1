"""What an item of a document has besides its fields: steps, links and files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    StrictBool,
    StrictStr,
    ValidationInfo,
    WithJsonSchema,
)

from airflow_codebeamer.skeleton.values import (
    Closed,
    ItemNumber,
    Lookup,
    Ref,
    Value,
    read_pointer,
)
from airflow_codebeamer.skeleton.wording import described

__all__ = ["ItemAssociation", "ItemAttachment", "ItemPointer", "TestStep"]

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


def _file_name(name: str) -> str:
    if set(name) & set("/\\") or not name.isprintable() or name != name.strip():
        raise ValueError(
            f"{name!r} must be a file's name, without folders and letters that cannot "
            "be printed"
        )
    return name


def _from_folder(path: str, info: ValidationInfo) -> str:
    """Return a path as seen from the folder of the document, if that is a file."""
    folder = (info.context or {}).get("folder")
    return path if folder is None else str(Path(folder) / path)


def _digest(text: str) -> str:
    if not re.fullmatch("[0-9a-fA-F]{128}", text):
        raise ValueError(f"{text[:20]!r} must be 128 hexadecimal digits")
    return text


class ItemAttachment(Closed):
    """A file that hangs on the item."""

    #: Where it is read from; a relative path begins in the document's folder.
    path: Annotated[StrictStr, Field(min_length=1), AfterValidator(_from_folder)]
    #: Its name on the server; that of the file if it is not given.
    name: (
        Annotated[
            StrictStr, Field(min_length=1, max_length=255), AfterValidator(_file_name)
        ]
        | None
    ) = None
    #: Its digest, to refuse a file that is another than was meant.
    sha512: Annotated[StrictStr, AfterValidator(_digest)] | None = None
