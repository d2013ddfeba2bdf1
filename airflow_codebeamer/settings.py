"""Settings: what we are told, parsed and frozen; nothing here dials or reads.

Three groups, because three rooms need them: the server and its account
(`ServerSettings`), the timing and policy of locks (`LockSettings`) and the
address of the lock store (`StoreSettings`). `Settings` holds all three.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from airflow_codebeamer.errors import ConfigurationError

__all__ = [
    "READ_ONLY_PERMISSIONS",
    "LockSettings",
    "ServerSettings",
    "Settings",
    "StoreSettings",
    "base_address",
]

#: The rights that a locked role keeps. Everything else is taken away, also what
#: a newer server adds. Source of the names: the vendor's list of 28 tracker
#: permissions; which of them only read is our classification.
READ_ONLY_PERMISSIONS = frozenset(
    {
        "issue_view_not_own",
        "issue_view",
        "issue_history_view",
        "issue_escalation_view",
        "issue_attachment_view",
        "issue_subscribe",
        "tracker_subscribe",
        "tracker_subscribers_view",
        "issue_association_view",
        "export",
    }
)

_API_SUFFIXES = ("/api/v3", "/api", "/rest")


def base_address(address: str) -> str:
    """Return the base address of a server: scheme, host, context path, no slash.

    Accepts the address with or without a context path (`/cb`), and with the
    API's own suffix, which people copy from the browser.

    Raises:
        ConfigurationError: no http(s) address, or one with credentials, a
            query or a fragment in it.
    """
    try:
        parts = urlsplit(address.strip())
        port_number = parts.port
    except ValueError:
        raise ConfigurationError(
            "url", "host or port cannot be read, write it like https://host:8443/cb"
        ) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(
            "url", "write the server's base address, like https://alm.example.com/cb"
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigurationError(
            "url", "leave log-in, query and fragment out of the address"
        )
    path = parts.path.rstrip("/")
    for suffix in _API_SUFFIXES:
        if path.endswith(suffix):
            path = path.removesuffix(suffix)
            break
    default = {"http": 80, "https": 443}[parts.scheme]
    host = parts.hostname if ":" not in parts.hostname else f"[{parts.hostname}]"
    port = f":{port_number}" if port_number and port_number != default else ""
    return f"{parts.scheme}://{host}{port}{path}"


class _Frozen(BaseModel):
    # Without the last one a misspelt `password` would be quoted in the error.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ServerSettings(_Frozen):
    """A Codebeamer server, an account on it, and how hard we may press it.

    Log in with `login` and `password` (Basic) or with `token` (bearer); with a
    token `login` is still wanted, because v3 cannot say who is asking.
    `requests_per_second` and `requests_per_minute` of None mean no own limit.
    """

    url: str
    login: str = ""
    password: SecretStr | None = None
    token: SecretStr | None = None
    verify: bool | str = True
    connect_timeout_seconds: float = Field(default=10.0, gt=0)
    read_timeout_seconds: float = Field(default=60.0, gt=0)
    requests_per_second: float | None = Field(default=3.0, gt=0)
    requests_per_minute: float | None = Field(default=120.0, gt=0)
    connections: int = Field(default=8, ge=1, le=64)
    api: Literal["auto", "v3", "v1"] = "auto"
    exclusive_role: str = ""

    @field_validator("verify", mode="before")
    @classmethod
    def _said_or_a_path(cls, value: Any) -> Any:
        """Read "true" and "false" as such; an empty path would mean no check."""
        if not isinstance(value, str):
            return value
        word = value.strip()
        if not word:
            raise ConfigurationError(
                "verify", "write true, false or the path of a CA bundle"
            )
        return {"true": True, "false": False}.get(word.lower(), word)

    @model_validator(mode="after")
    def _complete(self) -> ServerSettings:
        base_address(self.url)
        if self.token is None and not (self.login and self.password is not None):
            raise ConfigurationError(
                "login", "give a login and a password, or a token, for the server"
            )
        if ":" in self.login:
            raise ConfigurationError("login", "a log-in name cannot contain a colon")
        if self.token is not None and not _is_header_safe(self.token):
            raise ConfigurationError(
                "token", "it may have only visible ASCII characters, and no blanks"
            )
        return self

    @property
    def base(self) -> str:
        """The base address, normalised: also the server's name in the store."""
        return base_address(self.url)


def _is_header_safe(secret: SecretStr) -> bool:
    return re.fullmatch(r"[!-~]+", secret.get_secret_value()) is not None


class LockSettings(_Frozen):
    """Timing and policy of locks; docs/explanation/locking.md says why so long.

    `bridge` is the lease between tasks, `ttl` the one that a living task
    renews every `beat`; `lock_delay` is how long a request without answer may
    still take effect on the server; `margin` is subtracted from a holder's own
    deadline; `poll` is how often a waiter looks; `membership_age` is how long
    the check of who else is in the exclusive role is believed.
    """

    bridge: timedelta = timedelta(minutes=30)
    ttl: timedelta = timedelta(seconds=60)
    beat: timedelta = timedelta(seconds=15)
    lock_delay: timedelta = timedelta(seconds=15)
    margin: timedelta = timedelta(seconds=15)
    poll: timedelta = timedelta(seconds=5)
    settle: timedelta = timedelta(0)
    membership_age: timedelta = timedelta(hours=24)
    read_only: frozenset[str] = READ_ONLY_PERMISSIONS
    allow_templates: bool = False
    on_floor: Literal["warn", "fail"] = "warn"

    @model_validator(mode="after")
    def _consistent(self) -> LockSettings:
        if self.beat * 3 > self.ttl - self.margin:
            raise ConfigurationError(
                "beat", "three beats must fit between the margin and the ttl"
            )
        if self.bridge < self.ttl:
            raise ConfigurationError("lease", f"make it at least {self.ttl}")
        return self


class StoreSettings(_Frozen):
    """Where the lock store is: any SQLAlchemy address; SQLite and PostgreSQL tested.

    `allow_network_share` switches off the refusal of a SQLite file on a network
    share, where its locks do not hold (https://sqlite.org/faq.html#q5).
    """

    url: SecretStr
    allow_network_share: bool = False


class Settings(_Frozen):
    """Everything that `wiring` needs to build the engines."""

    server: ServerSettings
    store: StoreSettings
    lock: LockSettings = LockSettings()
