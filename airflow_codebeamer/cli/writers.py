"""`--writers`: the two accounts that write in turn, and where their passwords are."""

from __future__ import annotations

from airflow_codebeamer.cli.passwords import read_secret
from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.settings import ServerSettings

__all__ = ["read_writers"]

_HOW = "write LOGIN[:ROLE][=PASSWORD_FILE], two of them with a comma in between"


def read_writers(text: str, server: ServerSettings) -> tuple[ServerSettings, ...]:
    """Return the accounts that an option names, on the server of the other options.

    A role is named like its account unless it is said. Without a file the password is
    in CODEBEAMER_WRITER_1_PASSWORD (or _TOKEN) and CODEBEAMER_WRITER_2_PASSWORD.

    Raises:
        ConfigurationError: says what is missing.
    """
    given = [one.strip() for one in text.split(",")] if text.strip() else []
    return tuple(
        _read(number, one, server) for number, one in enumerate(given, start=1)
    )


def _read(number: int, text: str, server: ServerSettings) -> ServerSettings:
    who, _, file = text.partition("=")
    login, _, role = who.partition(":")
    if not login:
        raise ConfigurationError("--writers", _HOW)
    prefix = f"CODEBEAMER_WRITER_{number}_"
    how = f"give the password of {login}: {login}=FILE, or {prefix}PASSWORD; {_HOW}"
    account = {
        "login": login,
        "exclusive_role": role or login,
        "password": None,
        "token": None,
        **read_secret("--writers", file, prefix=prefix, missing=how),
    }
    return server.model_copy(update=account)
