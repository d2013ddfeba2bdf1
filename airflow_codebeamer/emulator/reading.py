"""Reading: a request's path, query, body and credentials, checked by the contract."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any
from urllib.parse import parse_qsl

from airflow_codebeamer.emulator.contract import Operation
from airflow_codebeamer.emulator.forms import FORM, read_form
from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.validation import problem_with_text
from airflow_codebeamer.emulator.world import User, World

__all__ = ["claimed_name", "known_user", "read_body", "read_path", "read_query"]


def read_path(operation: Operation, values: list[str]) -> dict[str, Any]:
    """Read the parameters of a path.

    Raises:
        RefusedError: One is not what the contract says (400).
    """
    where = {}
    for parameter, text in zip(operation.in_path, values, strict=True):
        where[parameter.name], problem = problem_with_text(dict(parameter.schema), text)
        if problem is not None:
            raise RefusedError(400, f"{problem} (at {parameter.name})")
    return where


def read_query(operation: Operation, text: str) -> dict[str, Any]:
    """Read a query string, defaults included.

    Raises:
        RefusedError: A parameter is unknown, missing or wrong (400).
    """
    given = {
        name: parameter.schema["default"]
        for name, parameter in operation.in_query.items()
        if "default" in parameter.schema
    }
    for name, value in parse_qsl(text, keep_blank_values=True):
        parameter = operation.in_query.get(name)
        if parameter is None:
            raise RefusedError(400, f'Unrecognized query parameter "{name}"')
        given[name], problem = problem_with_text(dict(parameter.schema), value)
        if problem is not None:
            raise RefusedError(400, f"{problem} (at {name})")
    for name, parameter in operation.in_query.items():
        if parameter.required and name not in given:
            raise RefusedError(400, f'Missing query parameter "{name}"')
    return given


def read_body(operation: Operation, body: bytes, content_type: str = "") -> Any:
    """Read a body: JSON, or the parts of a form.

    Raises:
        RefusedError: It is missing, too much, or not the declared shape (400).
    """
    if operation.check_request is None:
        if body:
            raise RefusedError(400, f"{operation.id} takes no request body.")
        return None
    if not body:
        raise RefusedError(400, "Required request body is missing")
    if operation.request_media == FORM:
        return read_form(operation.check_request, body, content_type)
    try:
        given = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, f"JSON parse error: {error}") from error
    if operation.trim_request is not None:
        given = operation.trim_request(given)
    problem = operation.check_request(given)
    if problem is not None:
        raise RefusedError(400, f"JSON parse error: {problem}")
    return given


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is not a number of JSON")


def claimed_name(authorization: str) -> str:
    """Return the name that a request claims, right or wrong; "" for none."""
    return _credentials(authorization)[0]


def _credentials(authorization: str) -> tuple[str, str]:
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        text = base64.b64decode(given.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    name, _, password = text.partition(":")
    return name, password


def known_user(world: World, authorization: str) -> User | None:
    """Return the user whose password or token a request carries, else None."""
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() == "bearer" and given.strip():
        return next(
            (user for user in world.users.values() if user.token == given.strip()), None
        )
    name, password = _credentials(authorization)
    user = world.by_name.get(name)
    return user if user is not None and user.password == password else None
