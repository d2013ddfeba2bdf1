"""Where the secret of an account is: in a file, or in the environment."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import SecretStr

from airflow_codebeamer.errors import ConfigurationError

__all__ = ["read_secret"]


def read_secret(
    option: str, file: str, *, prefix: str, missing: str
) -> dict[str, SecretStr]:
    """Return the password, or the token, under its name in `ServerSettings`.

    A file comes before the variables that begin with `prefix`, a password before a
    token. Secrets never come as arguments: everybody on the machine can read those.

    Raises:
        ConfigurationError: of `option`: the file cannot be read; or, with `missing` as
            the sentence, there is neither a file nor a variable.
    """
    if file:
        try:
            text = Path(file).expanduser().read_text().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            # What cannot be decoded would be quoted in the error.
            why = getattr(error, "strerror", None) or "it is no text"
            raise ConfigurationError(
                option, f"the file {file} cannot be read: {why}"
            ) from None
        return {"password": SecretStr(text)}
    for kind in ("password", "token"):
        if found := os.environ.get(f"{prefix}{kind.upper()}"):
            return {kind: SecretStr(found)}
    raise ConfigurationError(option, missing)
