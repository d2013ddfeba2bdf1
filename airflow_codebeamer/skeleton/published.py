"""The documents' JSON Schema, for editors that check and complete while one types."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from airflow_codebeamer.skeleton.document import FieldUpdate, Skeleton

__all__ = ["document_schema"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def document_schema() -> dict[str, Any]:
    """Return the schema of both kinds of documents.

    Not promised: everything that `load_document` checks. Keys that are used twice,
    parents and pointers are not a matter of shape.
    """
    adapter: TypeAdapter[Any] = TypeAdapter(
        Annotated[Skeleton | FieldUpdate, Field(title="Codebeamer document")]
    )
    return {"$schema": _DIALECT, **adapter.json_schema(by_alias=True)}
