"""The server's description of itself, as OpenAPI made from the contract."""

from __future__ import annotations

from typing import Any

from airflow_codebeamer.emulator.contract import Contract

__all__ = ["openapi"]

_JSON = "application/json"
_TEXTS = {
    200: "Done.",
    400: "The request is not well formed.",
    401: "Authentication is required.",
    403: "Not permitted.",
    404: "Not found.",
    423: "Tracker item is locked.",
    429: "Too many requests.",
    500: "The emulator failed.",
    501: "The emulator does not have this, or not all of it.",
}
#: Times have no zone, which RFC 3339, and so the format date-time, would want.
_TIME = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?"
_ZONE = r"(Z|[+-]\d{2}:?\d{2})?$"


def openapi(contract: Contract, url: str) -> dict[str, Any]:
    """Return an OpenAPI document of every claimed operation."""
    shapes = contract.data["shapes"]
    paths: dict[str, dict[str, Any]] = {}
    for entry in contract.data["operations"]:
        paths.setdefault(entry["path"], {})[entry["method"].lower()] = _operation(entry)
    schemas = {name: _schema(shape) for name, shape in shapes.items()}
    if contract.data.get("open"):
        for schema in schemas.values():
            schema.pop("additionalProperties", None)
    return {
        "openapi": "3.0.1",
        "info": {
            "title": "Codebeamer emulator",
            "description": "Not Codebeamer: what the emulator claims to do.",
            "version": "3.0",
        },
        "servers": [{"url": url}],
        "security": [{"BasicAuth": []}, {"BearerAuth": []}],
        "paths": paths,
        "components": {
            "schemas": {
                **schemas,
                "RestException": _error(),
            },
            "securitySchemes": {
                "BasicAuth": {"type": "http", "scheme": "basic"},
                "BearerAuth": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _operation(entry: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": entry["id"],
        "parameters": [
            {**given, "schema": _schema(given["schema"])}
            for given in entry.get("parameters", ())
        ],
        "responses": {
            str(status): _response(entry, status)
            for status in sorted({*entry["statuses"], 500, 501})
        },
    }
    if "request" in entry:
        made["requestBody"] = {
            "required": True,
            "content": {
                entry.get("request_media", _JSON): {"schema": _schema(entry["request"])}
            },
        }
    return made


def _response(entry: dict[str, Any], status: int) -> dict[str, Any]:
    made: dict[str, Any] = {"description": _TEXTS[status]}
    schema: dict[str, Any] | None = {"$ref": "#/components/schemas/RestException"}
    if status == 200:
        schema = _schema(entry["answer"]) if "answer" in entry else None
    media = _JSON
    if status == 200 and "answer_media" in entry:
        media, schema = entry["answer_media"], {"type": "string", "format": "binary"}
    if status == 200 and entry.get("answer_may_be_empty"):
        made["description"] += " Sometimes an empty response."
    if schema is not None:
        made["content"] = {media: {"schema": schema}}
    return made


def _error() -> dict[str, Any]:
    text = {"type": "string"}
    return {"type": "object", "properties": {"message": text, "resourceUri": text}}


def _schema(shape: dict[str, Any]) -> dict[str, Any]:
    """Translate a shape: names become references, tags become a discriminator."""
    if "$ref" in shape:
        return {"$ref": f"#/components/schemas/{shape['$ref']}"}
    if "tagged" in shape:
        refs = {name: f"#/components/schemas/{name}" for name in shape["tagged"]}
        return {
            "oneOf": [{"$ref": ref} for ref in refs.values()],
            "discriminator": {"propertyName": "type", "mapping": refs},
        }
    made = dict(shape)
    if made.get("format") == "date-time":
        made = {"type": "string", "pattern": _TIME + _ZONE}
    if "items" in made:
        made["items"] = _schema(made["items"])
    if "properties" in made:
        made["properties"] = {
            name: _schema(inner) for name, inner in made["properties"].items()
        }
    if made.get("type") == "object":
        made["additionalProperties"] = False
    return made
