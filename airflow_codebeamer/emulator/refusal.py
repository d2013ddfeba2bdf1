"""RefusedError: the one way in which the emulator says no."""

from __future__ import annotations

from typing import Any

__all__ = ["RefusedError"]


class RefusedError(Exception):
    """A request that is answered with an error instead of an effect.

    `body` is the documented shape of every error, `message` and `resourceUri`;
    `extra` adds what some answers have besides, such as `failedOperations`.
    """

    def __init__(
        self, status: int, message: str, extra: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.extra = extra or {}

    def body(self, resource: str) -> dict[str, Any]:
        """Return the JSON body for the path that was asked for."""
        return {"message": self.message, "resourceUri": resource, **self.extra}
