"""Raw answers: a status becomes an error, bytes become values of our models.

Pure: nothing here sends. No body ever gets into an error, except the server's
own `message`, which is cut.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from pydantic import ValidationError

from airflow_codebeamer.errors import (
    ApiError,
    BadRequestError,
    CodebeamerError,
    ConfigurationError,
    ContractError,
    ForbiddenError,
    ItemLockedError,
    NotFoundError,
    RateLimitedError,
    Retry,
    ServerError,
    UnauthorizedError,
)
from airflow_codebeamer.models import Answer

__all__ = ["RawAnswer", "error_of", "json_of", "read", "read_many"]

T = TypeVar("T", bound=Answer)

_LONGEST_MESSAGE = 500


@dataclass(frozen=True)
class RawAnswer:
    """What came back for `method` and `path`, not yet understood.

    `is_first` says that no request of this client has succeeded yet: the
    moment at which a right that is missing for everything is the likely cause.
    `now` is when the answer came.
    """

    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    now: datetime
    is_first: bool = False
    is_bearer: bool = False

    @property
    def where(self) -> str:
        """The request, as errors name it: without host and query."""
        return f"{self.method} {self.path}"

    def parsed(self) -> Any:
        """Return the body as JSON.

        Raises:
            ValueError: it is none.
        """
        return json.loads(self.body.decode("utf-8"))

    def described(self) -> str:
        """Return what the body is, without quoting it."""
        kind = self.headers.get("Content-Type", "").split(";")[0].strip()
        return f"{len(self.body)} bytes of {kind or 'no declared type'}"


def json_of(raw: RawAnswer, *, is_write: bool) -> Any:
    """Return a successful answer as JSON; None if its body is empty.

    Raises:
        ContractError: the body is no JSON. After a write its `retry` says
            "after looking", since the write has probably happened.
    """
    if not raw.body.strip():
        return None
    try:
        return raw.parsed()
    except ValueError:
        error = ContractError(raw.where, f"{raw.described()} that is no JSON")
    if is_write:
        error.retry = Retry.AFTER_LOOKING
    # Raised out here because the parser's exception holds the whole body.
    raise error


def read(model: type[T], value: Any, where: str) -> T:
    """Return `value` as a model; properties that we do not know are kept.

    Raises:
        ContractError: a property is missing or has another shape.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        steps = ".".join(str(step) for step in first["loc"])
        place = f"{where} ({model.__name__}{'.' + steps if steps else ''})"
        problem = ContractError(place, f"something else: {first['msg']}")
    raise problem


def read_many(model: type[T], values: Iterable[Any], where: str) -> list[T]:
    """Return each of `values` as a model.

    Raises:
        ContractError: one of them has another shape; names its position.
    """
    return [
        read(model, value, f"{where}[{position}]")
        for position, value in enumerate(values)
    ]


def error_of(raw: RawAnswer) -> CodebeamerError | None:
    """Return the error that an answer's status stands for, None for success."""
    if 200 <= raw.status < 300:
        return None
    if raw.status < 400:
        return _redirected(raw)
    return _api_error(raw, _said(raw))


def _said(raw: RawAnswer) -> dict[str, Any]:
    try:
        said = raw.parsed()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _redirected(raw: RawAnswer) -> ConfigurationError:
    target = raw.headers.get("Location", "").split("?")[0].split("#")[0]
    host = target.rpartition("@")[2] if "@" in target else target
    return ConfigurationError(
        "url",
        f"the server sends {raw.where} elsewhere ({raw.status} to "
        f"{host or 'nowhere'}), which is not followed with credentials: give the "
        "address that answers itself, with https if it wants that",
    )


def _api_error(raw: RawAnswer, said: dict[str, Any]) -> ApiError:
    failed = _failed(said)
    kind = BadRequestError if failed else _kind(raw.status)
    message = str(said.get("message") or "")[:_LONGEST_MESSAGE]
    error = kind(
        _sentence(raw, message),
        method=raw.method,
        path=raw.path,
        status=raw.status,
        server_message=message,
        resource_uri=str(said.get("resourceUri") or "")[:_LONGEST_MESSAGE],
    )
    if isinstance(error, BadRequestError):
        error.failed = failed
    if isinstance(error, RateLimitedError):
        error.retry_after = _retry_after(raw, said)
    if raw.status == 501:
        error.retry = Retry.NEVER
    return error


def _kind(status: int) -> type[ApiError]:
    if status >= 500:
        return ServerError
    return {
        401: UnauthorizedError,
        403: ForbiddenError,
        404: NotFoundError,
        423: ItemLockedError,
        429: RateLimitedError,
    }.get(status, BadRequestError)


_ADVICE = {
    404: "it does not exist, or this account may not see it",
    423: "somebody is editing the item, try again when he has finished",
    429: "the server wants fewer requests: lower requests_per_second or "
    "requests_per_minute, or give this account to nobody else",
    501: "this server does not offer the operation",
}


def _sentence(raw: RawAnswer, message: str) -> str:
    word = f" ({message})" if message else ""
    return f"{raw.where} was answered with {raw.status}{word}: {_advice(raw)}."


def _advice(raw: RawAnswer) -> str:
    if raw.status == 401 and raw.is_bearer:
        return "check the token, it may have expired"
    if raw.status == 401:
        return "check login and password"
    if raw.status == 403 and raw.is_first:
        return (
            "the account may not do this; if everything is refused, a group of the "
            "account needs the right 'Rest / Remote API - Access'"
        )
    if raw.status == 403:
        return "the account may not do this"
    if raw.status >= 500 and raw.status != 501:
        return "the server failed; look at its state before writing again"
    return _ADVICE.get(raw.status, "the server refused the request as it is")


def _failed(said: dict[str, Any]) -> tuple[tuple[int, str], ...]:
    entries = said.get("failedOperations")
    if not isinstance(entries, list):
        return ()
    return tuple(
        (entry["id"], str(entry.get("exceptionMessage") or ""))
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("id"), int)
    )


def _retry_after(raw: RawAnswer, said: dict[str, Any]) -> timedelta | None:
    told = said.get("retryAfterSecond")
    if isinstance(told, int | float) and not isinstance(told, bool):
        return timedelta(seconds=max(0, told))
    header = raw.headers.get("Retry-After", "").strip()
    if header.isdecimal():
        return timedelta(seconds=int(header))
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(timedelta(0), aware - raw.now)
