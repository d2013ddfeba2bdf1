"""The store's address: parsed, checked for a driver we know, and safe to print."""

from __future__ import annotations

from pydantic import SecretStr
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from airflow_codebeamer.errors import ConfigurationError

__all__ = ["masked", "store_address"]

_SETTING = "lock store"
_EXAMPLES = (
    "sqlite:////var/lib/airflow/codebeamer_locks.db or "
    "postgresql://user:password@host/database"
)
#: What people write, and the driver we mean. A bare `postgresql` is another
#: driver in each SQLAlchemy release, so it is never left to SQLAlchemy.
_DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "sqlite+pysqlite": "sqlite+pysqlite",
    "postgres": "postgresql+psycopg2",
    "postgresql": "postgresql+psycopg2",
    "postgresql+psycopg2": "postgresql+psycopg2",
}
_SECRET_WORDS = ("pass", "secret", "token", "key")


def store_address(url: SecretStr) -> URL:
    """Return the address with the driver we use.

    Raises:
        ConfigurationError: no address, an unknown database, or a SQLite store
            in memory, which would forget every lock with its process.
    """
    try:
        address = make_url(url.get_secret_value().strip())
    except (ArgumentError, ValueError):
        # The cause would quote the address, password and all.
        raise ConfigurationError(
            _SETTING, f"this is no database address; write {_EXAMPLES}"
        ) from None
    driver = _DRIVERS.get(address.drivername)
    if driver is None:
        raise ConfigurationError(
            _SETTING, f"{address.drivername} is not supported; write {_EXAMPLES}"
        )
    if driver.startswith("sqlite") and _is_in_memory(address):
        raise ConfigurationError(
            _SETTING,
            "a SQLite store in memory forgets its locks with the process; "
            "name a file, like sqlite:////var/lib/airflow/codebeamer_locks.db",
        )
    return address.set(drivername=driver)


def masked(address: URL) -> str:
    """Return the address as text without any secret in it."""
    hidden = {
        name: "***"
        for name in address.query
        if any(word in name.lower() for word in _SECRET_WORDS)
    }
    plain = address.set(drivername=address.get_backend_name())
    shown = plain.update_query_dict(hidden).render_as_string(hide_password=True)
    return shown.replace("%2A%2A%2A", "***")


def _is_in_memory(address: URL) -> bool:
    name = address.database or ""
    return name in ("", ":memory:", "file::memory:") or (
        address.query.get("mode") == "memory"
    )
