from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_codebeamer.client.retry import Action, decide
from airflow_codebeamer.errors import (
    BadRequestError,
    ConfigurationError,
    ContractError,
    ForbiddenError,
    ItemLockedError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    Retry,
    ServerError,
    UnauthorizedError,
)


def api(kind, status=400):
    return kind("no", method="PUT", path="/items/1", status=status)


def throttled(seconds=None):
    error = api(RateLimitedError, 429)
    error.retry_after = None if seconds is None else timedelta(seconds=seconds)
    return error


NOT_SENT = NotSentError("no", address="http://a")
UNKNOWN = OutcomeUnknownError("no", address="http://a")
SERVER = api(ServerError, 503)


@pytest.mark.parametrize(
    ("error", "is_write", "expected"),
    [
        (NOT_SENT, False, Action.WAIT),
        (NOT_SENT, True, Action.WAIT),
        (UNKNOWN, False, Action.WAIT),
        (UNKNOWN, True, Action.LOOK_FIRST),
        (SERVER, False, Action.WAIT),
        (SERVER, True, Action.LOOK_FIRST),
        (throttled(5), False, Action.WAIT),
        (throttled(5), True, Action.WAIT),
        (api(ItemLockedError), True, Action.GIVE_UP),
        (api(BadRequestError), False, Action.GIVE_UP),
        (api(UnauthorizedError), False, Action.GIVE_UP),
        (api(ForbiddenError), False, Action.GIVE_UP),
        (api(NotFoundError), False, Action.GIVE_UP),
        (ContractError("here", "that"), False, Action.GIVE_UP),
        (ConfigurationError("url", "no"), False, Action.GIVE_UP),
    ],
)
def test_what_follows_the_first_try(error, is_write, expected):
    assert decide(error, 1, is_write=is_write).action is expected


def test_waits_double_and_end():
    decisions = [decide(SERVER, attempt, is_write=False) for attempt in (1, 2, 3, 4)]

    assert [decision.seconds for decision in decisions] == [0.5, 1.0, 2.0, 0.0]
    assert decisions[-1].action is Action.GIVE_UP
    assert not any(decision.everybody for decision in decisions)


def test_the_server_says_how_long_everybody_waits():
    decision = decide(throttled(7), 1, is_write=True)

    assert decision.seconds == 7
    assert decision.everybody


@pytest.mark.parametrize("told", [None, 0])
def test_a_throttle_that_tells_nothing_is_backed_off_from(told):
    waits = [decide(throttled(told), n, is_write=True).seconds for n in range(1, 10)]

    assert waits[:3] == [0.5, 1.0, 2.0]
    assert max(waits) == 30.0


def test_a_server_that_says_one_second_for_ever_is_not_believed():
    waits = [decide(throttled(1), n, is_write=True).seconds for n in range(1, 10)]

    assert waits == [1.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_a_throttle_is_not_obeyed_for_ever():
    assert decide(throttled(1), 10, is_write=False).action is Action.GIVE_UP
    assert decide(throttled(121), 1, is_write=False).action is Action.GIVE_UP


def test_an_error_that_forbids_it_is_never_repeated():
    untrusted = NotSentError("no", address="http://a")
    untrusted.retry = Retry.NEVER

    assert decide(untrusted, 1, is_write=False).action is Action.GIVE_UP
