"""`--writers`: the two accounts that write in turn, and where their passwords are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import SecretStr

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
    account = {
        "login": login,
        "exclusive_role": role or login,
        "password": None,
        "token": None,
        **_secret(number, login, file),
    }
    return server.model_copy(update=account)


def _secret(number: int, login: str, file: str) -> dict[str, Any]:
    if file:
        try:
            text = Path(file).expanduser().read_text().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            # What cannot be decoded would be quoted in the error.
            why = getattr(error, "strerror", None) or "it is no text"
            raise ConfigurationError(
                "--writers", f"the file {file} cannot be read: {why}"
            ) from None
        return {"password": SecretStr(text)}
    for kind in ("password", "token"):
        name = f"CODEBEAMER_WRITER_{number}_{kind.upper()}"
        if found := os.environ.get(name):
            return {kind: SecretStr(found)}
    raise ConfigurationError(
        "--writers",
        f"give the password of {login}: {login}=FILE, or "
        f"CODEBEAMER_WRITER_{number}_PASSWORD; {_HOW}",
    )
