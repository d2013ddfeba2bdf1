"""Trimming: a value without the properties that a shape does not have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["trimmed"]


def trimmed(shapes: Mapping[str, Any], schema: Mapping[str, Any], value: Any) -> Any:
    """Return a value of a schema without what the schema does not know."""
    if "$ref" in schema:
        schema = shapes[schema["$ref"]]
    if "tagged" in schema:
        tag = value.get("type") if isinstance(value, dict) else None
        if isinstance(tag, str) and tag in schema["tagged"]:
            return trimmed(shapes, shapes[tag], value)
        return value
    if isinstance(value, list) and "items" in schema:
        return [trimmed(shapes, schema["items"], one) for one in value]
    if isinstance(value, dict) and "properties" in schema:
        return {
            name: trimmed(shapes, schema["properties"][name], inner)
            for name, inner in value.items()
            if name in schema["properties"]
        }
    return value
