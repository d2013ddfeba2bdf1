"""What to do after an error: wait, give up, or look before writing again.

Pure: nothing here sleeps or sends.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from airflow_codebeamer.errors import (
    CodebeamerError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    Retry,
    ServerError,
)

__all__ = ["Action", "Decision", "decide"]

#: Tries of one request, the first included.
_TRIES = 4
#: Tries while the server only says "later": two minutes, whatever it says.
_TRIES_WHEN_THROTTLED = 10
#: The vendor's longest window is a minute; a longer wait belongs to the caller.
_LONGEST_WAIT_SECONDS = 120.0
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 30.0


class Action(Enum):
    """What follows an error."""

    WAIT = "wait"
    GIVE_UP = "give up"
    LOOK_FIRST = "look first"


@dataclass(frozen=True)
class Decision:
    """An action; `seconds` to wait, and whether every thread has to."""

    action: Action
    seconds: float = 0.0
    everybody: bool = False


_GIVE_UP = Decision(Action.GIVE_UP)
_LOOK_FIRST = Decision(Action.LOOK_FIRST)


def decide(error: CodebeamerError, attempt: int, *, is_write: bool) -> Decision:
    """Return what to do after try number `attempt` (from 1) ended in `error`.

    A write is repeated only if it certainly had no effect: the connection was
    never made, or the server turned it away as one too many. A write that may
    have happened is the caller's: only he knows what to look for.
    """
    if isinstance(error, RateLimitedError):
        return _when_throttled(error, attempt)
    if error.retry is Retry.NEVER:
        return _GIVE_UP
    if isinstance(error, OutcomeUnknownError | ServerError) and is_write:
        return _LOOK_FIRST
    if isinstance(error, NotSentError | OutcomeUnknownError | ServerError):
        if attempt >= _TRIES:
            return _GIVE_UP
        return Decision(Action.WAIT, _backoff_seconds(attempt))
    return _GIVE_UP


def _when_throttled(error: RateLimitedError, attempt: int) -> Decision:
    told_seconds = error.retry_after.total_seconds() if error.retry_after else 0.0
    # A server that says "one second" again and again is not believed for ever.
    wait_seconds = max(told_seconds, _backoff_seconds(attempt))
    if attempt >= _TRIES_WHEN_THROTTLED or wait_seconds > _LONGEST_WAIT_SECONDS:
        return _GIVE_UP
    return Decision(Action.WAIT, wait_seconds, everybody=True)


def _backoff_seconds(attempt: int) -> float:
    doubled: float = _FIRST_WAIT_SECONDS * 2 ** (attempt - 1)
    return min(doubled, _LONGEST_BACKOFF_SECONDS)
