"""From Airflow connections to settings; pure, so that each refusal has a test.

Two connections matter: the one of the server (`server_settings`) and, if it
exists, the one of the lock store (`store_address`).
"""

from __future__ import annotations

import base64
import difflib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from pydantic import SecretStr, ValidationError

from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.settings import ServerSettings

if TYPE_CHECKING:
    from airflow.sdk import Connection

__all__ = [
    "basic_credentials",
    "server_settings",
    "store_address",
    "writer_connections",
]

_FORM_PREFIX = "extra__codebeamer__"


def server_settings(connection: Connection) -> ServerSettings:
    """Return what a connection of the type `codebeamer` says.

    The address may stand whole in the host, or in parts: host, port, and as
    schema either the protocol (`https`) or the context path (`cb`).

    Raises:
        ConfigurationError: names the part of the connection that is wrong.
    """
    extras = _extras(connection)
    fields: dict[str, Any] = {"url": _address(connection)}
    if connection.login:
        fields["login"] = connection.login
    if connection.password:
        fields["password"] = SecretStr(connection.password)
    for name, text in extras.items():
        fields.update(_EXTRAS[name](name, text))
    try:
        return ServerSettings(**fields)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "connection"
        raise ConfigurationError(
            f"{connection.conn_id}.{where}", str(first["msg"])
        ) from None


def writer_connections(connection: Connection) -> list[str]:
    """Return the connections of the two accounts that write in turn, if two do."""
    named = str(_extras(connection).get("rotation", ""))
    return [one.strip() for one in named.split(",") if one.strip()]


def basic_credentials(settings: ServerSettings) -> str:
    """Return what a Basic header carries, for the log masker; empty with a token."""
    if settings.password is None:
        return ""
    pair = f"{settings.login}:{settings.password.get_secret_value()}"
    return base64.b64encode(pair.encode()).decode()


def store_address(connection: Connection) -> str:
    """Return the SQLAlchemy address that a lock store connection stands for.

    A connection of the types `postgres` and `sqlite`, or of any type whose host
    is a whole SQLAlchemy address.

    Raises:
        ConfigurationError: no address can be made of it.
    """
    host = connection.host or ""
    if "://" in host:
        return host
    if connection.conn_type == "sqlite":
        path = host or connection.schema or ""
        if path:
            return f"sqlite:///{path}"
    if connection.conn_type in ("postgres", "postgresql") and host:
        return _postgres_address(connection, host)
    raise ConfigurationError(
        f"connection {connection.conn_id}",
        "make it a postgres or sqlite connection with a host (for sqlite: the path "
        "of the file), or put a whole SQLAlchemy address into its host",
    )


def _postgres_address(connection: Connection, host: str) -> str:
    who = quote(connection.login or "", safe="")
    if connection.password:
        who += ":" + quote(connection.password, safe="")
    port = f":{connection.port}" if connection.port else ""
    options = {
        name: value
        for name, value in connection.extra_dejson.items()
        if isinstance(value, str | int) and value != ""
    }
    query = "?" + urlencode(options) if options else ""
    at = "@" if who else ""
    database = quote(connection.schema or "", safe="")
    return f"postgresql://{who}{at}{host}{port}/{database}{query}"


def _address(connection: Connection) -> str:
    host = (connection.host or "").strip()
    if not host:
        raise ConfigurationError(
            f"{connection.conn_id}.host",
            "write the server's base address, like https://alm.example.com/cb",
        )
    schema = (connection.schema or "").strip().strip("/")
    protocol, found, rest = host.rpartition("://")
    if not found:
        protocol = schema if schema in ("http", "https") else "https"
    place, _, path = rest.partition("/")
    if connection.port and ":" not in place.rpartition("]")[2]:
        place = f"{place}:{connection.port}"
    if not path and schema not in ("http", "https"):
        path = schema
    return f"{protocol}://{place}/{path}" if path else f"{protocol}://{place}"


def _extras(connection: Connection) -> dict[str, Any]:
    if not connection.extra:
        return {}
    try:
        raw = json.loads(connection.extra)
    except ValueError:
        raw = None
    if not isinstance(raw, Mapping):
        raise ConfigurationError(
            f"{connection.conn_id}.extra", "write one JSON object, like {} or a form"
        )
    found: dict[str, Any] = {}
    for key, value in raw.items():
        name = str(key).removeprefix(_FORM_PREFIX)
        if name not in _EXTRAS:
            near = difflib.get_close_matches(name, _EXTRAS, n=1)
            hint = (
                f"did you mean {near[0]}?" if near else "known: " + ", ".join(_EXTRAS)
            )
            raise ConfigurationError(
                f"{connection.conn_id}.extra.{name}", f"there is no such extra; {hint}"
            )
        if value is not None and value != "":
            found[name] = value
    return found


def _verify(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return {"verify": value.strip().lower() == "true"}
    if isinstance(value, bool | str):
        return {"verify": value}
    raise ConfigurationError(name, "say true, false, or the path of a CA bundle")


def _timeouts(name: str, value: Any) -> dict[str, Any]:
    parts = str(value).split("/")
    try:
        seconds = [float(part) for part in parts]
    except ValueError:
        seconds = []
    if len(seconds) not in (1, 2) or min(seconds) <= 0:
        raise ConfigurationError(
            name, "say the seconds to wait, as connect/read (10/60) or read alone (60)"
        )
    if len(seconds) == 2:
        return {
            "connect_timeout_seconds": seconds[0],
            "read_timeout_seconds": seconds[1],
        }
    return {
        "connect_timeout_seconds": min(10.0, seconds[0]),
        "read_timeout_seconds": seconds[0],
    }


def _rate(name: str, value: Any) -> dict[str, Any]:
    if str(value).strip().lower() == "off":
        return {name: None}
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if number <= 0:
        raise ConfigurationError(name, "say a number above 0, or off for no limit")
    return {name: number}


def _connections(name: str, value: Any) -> dict[str, Any]:
    try:
        number = int(str(value))
    except ValueError:
        number = 0
    if not 1 <= number <= 64:
        raise ConfigurationError(name, "say a whole number from 1 to 64")
    return {name: number}


def _notice_tracker(name: str, value: Any) -> dict[str, Any]:
    try:
        number = int(str(value))
    except ValueError:
        number = 0
    if number < 1:
        raise ConfigurationError(name, "say the number of the tracker for notices")
    return {name: number}


def _api(name: str, value: Any) -> dict[str, Any]:
    if value not in ("auto", "v3", "v1"):
        raise ConfigurationError(name, "say auto, v3 or v1")
    return {name: value}


def _token(name: str, value: Any) -> dict[str, Any]:
    return {name: SecretStr(str(value))}


def _word(name: str, value: Any) -> dict[str, Any]:
    return {name: str(value).strip()}


def _rotation(name: str, value: Any) -> dict[str, Any]:
    """Check it; the accounts are those of other connections."""
    if len([one for one in str(value).split(",") if one.strip()]) != 2:
        raise ConfigurationError(
            name, "name two connections, one for each account that writes in turn"
        )
    return {}


_EXTRAS: dict[str, Callable[[str, Any], dict[str, Any]]] = {
    "token": _token,
    "verify": _verify,
    "timeout_seconds": _timeouts,
    "requests_per_second": _rate,
    "requests_per_minute": _rate,
    "connections": _connections,
    "api": _api,
    "exclusive_role": _word,
    "notice_tracker": _notice_tracker,
    "strategy": _word,
    "rotation": _rotation,
}
