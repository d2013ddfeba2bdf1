"""What an Airflow connection means, and how a wrong one is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.hooks.connection import (
    basic_credentials,
    server_settings,
    store_address,
)


def connection(
    extra: dict[str, Any] | None = None, conn_type: str = "codebeamer", **parts: Any
) -> Connection:
    parts = {
        "host": "https://alm.example.com/cb",
        "login": "generator",
        "password": "generator-secret-1",
        **parts,
    }
    text = json.dumps(extra) if extra is not None else None
    return Connection(conn_id="cb", conn_type=conn_type, extra=text, **parts)


@pytest.mark.parametrize(
    ("parts", "base"),
    [
        ({"host": "https://alm.example.com/cb"}, "https://alm.example.com/cb"),
        ({"host": "https://alm.example.com/cb/"}, "https://alm.example.com/cb"),
        ({"host": "alm.example.com/cb"}, "https://alm.example.com/cb"),
        ({"host": "alm.example.com", "schema": "cb"}, "https://alm.example.com/cb"),
        ({"host": "alm.example.com", "schema": "http"}, "http://alm.example.com"),
        (
            {"host": "http://127.0.0.1", "port": 8080, "schema": "cb"},
            "http://127.0.0.1:8080/cb",
        ),
        (
            {"host": "http://127.0.0.1:8080/cb", "port": 8080},
            "http://127.0.0.1:8080/cb",
        ),
        ({"host": "http://[::1]", "port": 8080}, "http://[::1]:8080"),
    ],
)
def test_address_whole_or_in_parts(parts: dict[str, Any], base: str) -> None:
    assert server_settings(connection(**parts)).base == base


def test_address_of_a_connection_uri() -> None:
    uri = "codebeamer://http://generator:pw@127.0.0.1:8080/cb?exclusive_role=G"
    settings = server_settings(Connection.from_uri(uri, conn_id="cb"))
    assert settings.base == "http://127.0.0.1:8080/cb"
    assert settings.exclusive_role == "G"


def test_every_extra_arrives() -> None:
    settings = server_settings(
        connection(
            {
                "token": "token-secret-3",
                "verify": "/etc/ca.pem",
                "timeout_seconds": "5/30",
                "requests_per_second": "1.5",
                "requests_per_minute": "off",
                "connections": 4,
                "api": "v3",
                "exclusive_role": " Generator ",
                "notice_tracker": "2002",
            }
        )
    )
    assert settings.token is not None
    assert settings.token.get_secret_value() == "token-secret-3"
    assert settings.verify == "/etc/ca.pem"
    assert settings.connect_timeout_seconds == 5
    assert settings.read_timeout_seconds == 30
    assert settings.requests_per_second == 1.5
    assert settings.requests_per_minute is None
    assert settings.connections == 4
    assert settings.api == "v3"
    assert settings.exclusive_role == "Generator"
    assert settings.notice_tracker == 2002


def test_empty_fields_of_the_form_mean_the_default() -> None:
    settings = server_settings(
        connection({"token": "", "verify": None, "exclusive_role": ""})
    )
    assert settings.token is None
    assert settings.verify is True
    assert settings.requests_per_second == 3
    assert settings.connections == 8


@pytest.mark.parametrize(
    ("extra", "name", "advice"),
    [
        ({"exclusive_rol": "G"}, "cb.extra.exclusive_rol", "did you mean"),
        ({"colour": 1}, "cb.extra.colour", "known: token"),
        ({"verify": 3}, "verify", "CA bundle"),
        ({"timeout_seconds": "soon"}, "timeout_seconds", "10/60"),
        ({"timeout_seconds": "1/2/3"}, "timeout_seconds", "10/60"),
        ({"requests_per_second": 0}, "requests_per_second", "above 0"),
        ({"requests_per_minute": "many"}, "requests_per_minute", "above 0"),
        ({"connections": 65}, "connections", "1 to 64"),
        ({"api": "v4"}, "api", "auto, v3 or v1"),
        ({"notice_tracker": "NOTES"}, "notice_tracker", "the number of the tracker"),
    ],
)
def test_wrong_extra_is_named(extra: dict[str, Any], name: str, advice: str) -> None:
    with pytest.raises(ConfigurationError, match=advice) as caught:
        server_settings(connection(extra))
    assert caught.value.setting == name


def test_extra_that_is_no_object() -> None:
    wrong = Connection(conn_id="cb", conn_type="codebeamer", host="h", extra="[1]")
    with pytest.raises(ConfigurationError, match="one JSON object"):
        server_settings(wrong)


def test_missing_address_and_missing_account() -> None:
    with pytest.raises(ConfigurationError, match=r"cb\.host"):
        server_settings(connection(host=""))
    with pytest.raises(ConfigurationError, match="login and a password, or a token"):
        server_settings(connection(password=None))


def test_no_refusal_repeats_a_secret() -> None:
    with pytest.raises(ConfigurationError) as caught:
        server_settings(connection({"token": "token-secret-4", "api": "secret-5"}))
    assert "secret" not in str(caught.value)


def test_derived_credentials_are_known_to_the_masker() -> None:
    assert basic_credentials(server_settings(connection())) == (
        "Z2VuZXJhdG9yOmdlbmVyYXRvci1zZWNyZXQtMQ=="
    )


@pytest.mark.parametrize(
    ("parts", "address"),
    [
        (
            {
                "conn_type": "postgres",
                "host": "db",
                "port": 5433,
                "schema": "locks",
                "login": "us er",
                "password": "p@ss",
                "extra": {"sslmode": "require"},
            },
            "postgresql://us%20er:p%40ss@db:5433/locks?sslmode=require",
        ),
        (
            {"conn_type": "sqlite", "host": "/var/locks.db"},
            "sqlite:////var/locks.db",
        ),
        (
            {"conn_type": "generic", "host": "postgresql+psycopg2://db/locks"},
            "postgresql+psycopg2://db/locks",
        ),
    ],
)
def test_store_addresses(parts: dict[str, Any], address: str) -> None:
    assert store_address(connection(**parts)) == address


def test_store_of_a_type_that_is_none() -> None:
    with pytest.raises(ConfigurationError, match="postgres or sqlite"):
        store_address(connection(conn_type="http", host="db"))
