"""What can become of a request: no answer, a refusal, an answer nobody can read."""

from __future__ import annotations

from datetime import timedelta

from airflow_codebeamer.errors.root import CodebeamerError, Retry

__all__ = [
    "ApiError",
    "BadRequestError",
    "ContractError",
    "ForbiddenError",
    "ItemLockedError",
    "NotFoundError",
    "NotSentError",
    "OutcomeUnknownError",
    "RateLimitedError",
    "ServerError",
    "TransportError",
    "UnauthorizedError",
]


class TransportError(CodebeamerError):
    """No answer came. `address` carries no credentials and no query."""

    retry = Retry.YES

    def __init__(self, message: str, *, address: str, method: str = "") -> None:
        super().__init__(message)
        self.address = address
        self.method = method


class NotSentError(TransportError):
    """The connection was never made: nothing was changed on the server."""


class OutcomeUnknownError(TransportError):
    """The request was sent and its answer lost: look before you write again."""

    retry = Retry.AFTER_LOOKING


class ApiError(CodebeamerError):
    """The server answered with an error status.

    `server_message` is the server's own word, cut to 500 characters.
    """

    def __init__(
        self,
        message: str,
        *,
        method: str,
        path: str,
        status: int,
        server_message: str = "",
        resource_uri: str = "",
    ) -> None:
        super().__init__(message)
        self.method = method
        self.path = path
        self.status = status
        self.server_message = server_message
        self.resource_uri = resource_uri


class BadRequestError(ApiError):
    """400, and every other 4xx that has no class of its own.

    `failed` lists `(item id, message)` of a bulk update that was refused whole.
    """

    failed: tuple[tuple[int, str], ...] = ()


class UnauthorizedError(ApiError):
    """401: the server does not know this account or its password."""


class ForbiddenError(ApiError):
    """403: the account may not do this."""


class NotFoundError(ApiError):
    """404: not there, or not visible to this account."""


class ItemLockedError(ApiError):
    """423: somebody is editing the item."""

    retry = Retry.YES


class RateLimitedError(ApiError):
    """429: too many requests. `retry_after` is what the server asked for."""

    retry = Retry.YES
    retry_after: timedelta | None = None


class ServerError(ApiError):
    """5xx. A write may have happened: look before you write again."""

    retry = Retry.AFTER_LOOKING


class ContractError(CodebeamerError):
    """An answer cannot be read: `where` in it, and `found` there instead."""

    def __init__(
        self,
        where: str,
        found: str,
        *,
        advice: str = "is this address a Codebeamer REST API v3?",
    ) -> None:
        super().__init__(
            f"The server's answer cannot be read at {where}: found {found}; {advice}"
        )
        self.where = where
        self.found = found
