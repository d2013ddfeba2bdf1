"""An update of fields from what a command or a task was told, without a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.skeleton.document import Document, load_document

__all__ = ["field_update"]

#: Whose document it is that nobody wrote.
_OWNER = "set-fields"


def field_update(
    tracker_id: TrackerId,
    fields: Mapping[str, Any],
    *,
    where: str | None = None,
    foreign_edit: str = "overwrite",
) -> Document:
    """Return the document that sets fields of all items, or of those of a filter.

    Raises:
        DocumentError: no field, a value that is none, an empty filter.
    """
    document: dict[str, Any] = {
        "kind": "update",
        "owner": _OWNER,
        "target": {"tracker": tracker_id},
        "set": dict(fields),
        "policy": {"foreign_edit": foreign_edit},
    }
    if where is not None:
        document["where"] = where
    return load_document(document)
