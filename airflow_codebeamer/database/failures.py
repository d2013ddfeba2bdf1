"""What a database driver raises, said in our words and without secrets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from airflow_codebeamer.database.place import read_only
from airflow_codebeamer.errors import DatabaseError, Retry

__all__ = ["refused", "told_plainly"]

_BUSY = (
    "The lock store {place} was kept busy by somebody else for too long: try again, "
    "and if it stays so, find out who keeps a transaction open there."
)
_NO_ANSWER = (
    "The lock store {place} does not answer: is the server running, and are host, "
    "port and database name right?"
)
_FULL = (
    "The lock store {place} is full: make room on its disk, or raise its quota; what "
    "was begun is finished afterwards."
)
_NO_LOGIN = (
    "The lock store {place} refuses the log-in: check user and password in its address."
)
#: What a driver's message contains, and the sentence that says what to do.
_SENTENCES = (
    ("database is locked", _BUSY),
    ("lock timeout", _BUSY),
    ("statement timeout", _BUSY),
    ("deadlock detected", _BUSY),
    ("database or disk is full", _FULL),
    ("no space left on device", _FULL),
    ("disk quota exceeded", _FULL),
    ("password authentication failed", _NO_LOGIN),
    ("no password supplied", _NO_LOGIN),
    ("no pg_hba.conf entry", _NO_LOGIN),
    ("connection refused", _NO_ANSWER),
    ("could not translate host name", _NO_ANSWER),
    ("no such file or directory", _NO_ANSWER),
    ("timeout expired", _NO_ANSWER),
    (
        "unable to open database file",
        "The lock store {place} cannot be opened: does its folder exist, and may this "
        "account write there?",
    ),
    (
        "file is not a database",
        "The file {place} is no SQLite database: name another file for the lock store.",
    ),
    (
        "permission denied",
        "The lock store {place} forbids this to its user: grant it the right to "
        "create and write tables in its schema.",
    ),
)
_READ_ONLY = ("readonly database", "read-only transaction", "disk i/o error (readonly")


def refused(sentence: str) -> DatabaseError:
    """Return the error for something that no repetition will make right."""
    error = DatabaseError(sentence)
    error.retry = Retry.NEVER
    return error


@contextmanager
def told_plainly(place: str) -> Iterator[None]:
    """Turn a driver's error into a DatabaseError; the driver's is its cause.

    `place` is the store's address without a password.
    """
    try:
        yield
    except SQLAlchemyError as error:
        raise _our_error(error, place) from error


def _our_error(error: SQLAlchemyError, place: str) -> DatabaseError:
    if isinstance(error, PoolTimeoutError):
        return DatabaseError(_BUSY.format(place=place))
    words = str(error.orig) if isinstance(error, StatementError) else str(error)
    lowered = words.lower()
    if any(sign in lowered for sign in _READ_ONLY):
        return read_only(place)
    for sign, sentence in _SENTENCES:
        if sign in lowered:
            return DatabaseError(sentence.format(place=place))
    first_line = words.strip().partition("\n")[0] or type(error).__name__
    ours = DatabaseError(f"The lock store {place} failed: {first_line}")
    if not isinstance(error, DBAPIError) or not _is_passing(error):
        ours.retry = Retry.NEVER
    return ours


def _is_passing(error: DBAPIError) -> bool:
    return error.connection_invalidated or type(error).__name__ in (
        "InterfaceError",
        "OperationalError",
    )
