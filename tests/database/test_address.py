from __future__ import annotations

import pytest
from pydantic import SecretStr

from airflow_codebeamer.database.address import masked, store_address
from airflow_codebeamer.errors import ConfigurationError


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("sqlite:////srv/locks.db", "sqlite+pysqlite"),
        ("postgres://u:p@db/locks", "postgresql+psycopg2"),
        ("postgresql://u:p@db/locks", "postgresql+psycopg2"),
        (" postgresql+psycopg2://u:p@db/locks\n", "postgresql+psycopg2"),
    ],
)
def test_driver_is_ours_to_choose(given: str, driver: str) -> None:
    assert store_address(SecretStr(given)).drivername == driver


@pytest.mark.parametrize(
    "given",
    [
        "",
        "hunter2",
        "mysql://u:hunter2@db/locks",
        "postgresql+asyncpg://u:hunter2@db/locks",
        "postgresql://u:hunter2@db:port/locks",
    ],
)
def test_other_addresses_are_refused_without_quoting_them(given: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        store_address(SecretStr(given))
    assert "sqlite:///" in str(caught.value)
    assert "postgresql://" in str(caught.value)
    assert "hunter2" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    "given",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file::memory:?uri=true",
        "sqlite:///file:x?mode=memory&uri=true",
    ],
)
def test_store_in_memory_is_refused(given: str) -> None:
    with pytest.raises(ConfigurationError, match="memory"):
        store_address(SecretStr(given))


def test_masked_address_has_no_secret() -> None:
    address = store_address(
        SecretStr("postgresql://u:hunter2@db/locks?sslpassword=hunter3&sslmode=require")
    )
    assert masked(address) == (
        "postgresql://u:***@db/locks?sslmode=require&sslpassword=***"
    )
