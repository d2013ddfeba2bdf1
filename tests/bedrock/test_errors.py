from __future__ import annotations

import inspect
import re
from datetime import UTC, datetime, timedelta

import pytest

from airflow_codebeamer import errors
from airflow_codebeamer.errors import (
    BadRequestError,
    CodebeamerError,
    ConfigurationError,
    ContractError,
    ForbiddenError,
    ItemLockedError,
    LockHeldError,
    LockLostError,
    LockRefusedError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDriftError,
    RateLimitedError,
    RestorePendingError,
    Retry,
    SchemaNewerError,
    SchemaOutdatedError,
    ServerError,
)

CLASSES = [
    found
    for _, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, CodebeamerError)
]


def drawn_tree():
    """Class name → name of its parent, as the module's docstring draws it."""
    parents, path = {}, []
    for line in (errors.__doc__ or "").splitlines():
        branch = re.match(r"^    ([│ ]*)(?:[├└]── )?((?:\w+Error(?:, )?)+)", line)
        if branch is None:
            continue
        depth = len(branch[1]) // 4 + ("── " in line)
        names = branch[2].strip(", ").split(", ")
        path = [*path[:depth], names[-1]]
        for name in names:
            parents[name] = path[depth - 1] if depth else None
    return parents


def test_the_tree_in_the_docstring_is_the_tree():
    real = {
        kind.__name__: None if kind is CodebeamerError else kind.__base__.__name__
        for kind in CLASSES
    }

    assert drawn_tree() == real


def test_every_error_can_be_imported_by_name():
    names = sorted([kind.__name__ for kind in CLASSES] + ["Retry"])

    assert sorted(errors.__all__) == names


@pytest.mark.parametrize(
    ("kind", "retry"),
    [
        (ConfigurationError, Retry.NEVER),
        (NotSentError, Retry.YES),
        (OutcomeUnknownError, Retry.AFTER_LOOKING),
        (BadRequestError, Retry.NEVER),
        (ForbiddenError, Retry.NEVER),
        (ItemLockedError, Retry.YES),
        (RateLimitedError, Retry.YES),
        (ServerError, Retry.AFTER_LOOKING),
        (ContractError, Retry.NEVER),
        (LockRefusedError, Retry.NEVER),
        (LockHeldError, Retry.YES),
        (LockLostError, Retry.NEVER),
        (RestorePendingError, Retry.YES),
        (SchemaOutdatedError, Retry.NEVER),
        (SchemaNewerError, Retry.NEVER),
    ],
)
def test_each_error_says_whether_doing_it_again_can_help(kind, retry):
    assert kind.retry is retry


def test_a_held_lock_says_who_since_until_and_why():
    since = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    error = LockHeldError(
        7,
        owner="dag/run",
        since=since,
        deadline=since + timedelta(minutes=30),
        reason="nightly import",
    )

    assert str(error).startswith(
        "Tracker 7 is locked by dag/run since 2026-03-01T12:00:00+00:00 until "
        "2026-03-01T12:30:00+00:00 for: nightly import;"
    )


def test_a_held_lock_leaves_out_what_is_not_known():
    error = LockHeldError(7, owner="dag/run", since=None, deadline=None, reason="")

    assert str(error).startswith("Tracker 7 is locked by dag/run; ")


def test_drift_names_both_sides():
    error = PermissionDriftError(
        7, role="Tester", expected=["view", "edit"], found=["view", "add"]
    )

    assert "missing ['edit'], unexpected ['add']" in str(error)


def test_an_unreadable_answer_asks_about_the_address_unless_told_better():
    assert "REST API v3?" in str(ContractError("here", "that"))
    better = ContractError("here", "that", advice="wait")
    assert str(better).endswith("found that; wait")
