"""LockEvent: what crosses from the triggerer to a worker, and its one verdict."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from airflow_codebeamer.errors import LockError

__all__ = ["LockEvent", "lock_event"]


class LockEvent(BaseModel):
    """How the wait for a tracker ended.

    `reached`: the tracker is in the state that was waited for. `timeout`: the
    deadline passed first. `error`: waiting was not possible; `message` says why
    and `retry` whether another try of the task can help.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Literal["reached", "timeout", "error"]
    tracker_id: int
    message: str = ""
    retry: bool = False
    deadline: datetime | None = None

    def payload(self) -> dict[str, Any]:
        """Return it as the JSON object that a `TriggerEvent` carries."""
        return self.model_dump(mode="json")


def lock_event(payload: Mapping[str, Any] | None) -> LockEvent:
    """Read the payload of a trigger's event.

    Raises:
        LockError: it is none of ours. An event that nobody can read is a
            failure, never a success.
    """
    try:
        return LockEvent.model_validate(payload)
    except ValidationError:
        raise LockError(
            f"The trigger sent what this version cannot read ({str(payload)[:200]}): "
            "let triggerer and workers run the same version of this package."
        ) from None
