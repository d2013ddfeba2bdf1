from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.settings import (
    READ_ONLY_PERMISSIONS,
    LockSettings,
    ServerSettings,
    Settings,
    StoreSettings,
    base_address,
)

URL = "https://alm.example.com/cb"


def server(**changed):
    return ServerSettings(**{"url": URL, "login": "bot", "password": "pw", **changed})


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://alm.example.com/cb", "https://alm.example.com/cb"),
        ("https://alm.example.com", "https://alm.example.com"),
        (" https://ALM.Example.com/cb/ ", "https://alm.example.com/cb"),
        ("https://alm.example.com:443/cb", "https://alm.example.com/cb"),
        ("http://alm.example.com:80", "http://alm.example.com"),
        ("http://alm.example.com:8080/cb", "http://alm.example.com:8080/cb"),
        ("https://alm.example.com/cb/api/v3/", "https://alm.example.com/cb"),
        ("https://alm.example.com/api", "https://alm.example.com"),
        ("https://alm.example.com/cb/rest", "https://alm.example.com/cb"),
        ("http://[::1]:8080/cb", "http://[::1]:8080/cb"),
    ],
)
def test_addresses_are_brought_to_one_form(address, expected):
    assert base_address(address) == expected
    assert base_address(expected) == expected


@pytest.mark.parametrize(
    "address",
    [
        "",
        "alm.example.com/cb",
        "ftp://alm.example.com",
        "https://",
        "https:///cb",
        "https://alm.example.com:99999/cb",
        "https://alm.example.com:port/cb",
        "https://[::1/cb",
        "https://bot:hunter2@alm.example.com/cb",
        "https://bot@alm.example.com/cb",
        "https://alm.example.com/cb?token=hunter2",
        "https://alm.example.com/cb#hunter2",
    ],
)
def test_a_wrong_address_is_named_but_not_quoted(address):
    with pytest.raises(ConfigurationError) as caught:
        server(url=address)

    assert caught.value.setting == "url"
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "setting"),
    [
        ({"login": "", "password": None}, "login"),
        ({"login": "bot", "password": None}, "login"),
        ({"login": "", "password": "pw"}, "login"),
        ({"login": "bot:x"}, "login"),
        ({"token": ""}, "token"),
        ({"token": "abc\n"}, "token"),
        ({"token": "a b"}, "token"),
        ({"token": "tök"}, "token"),
        ({"verify": " "}, "verify"),
    ],
)
def test_a_wrong_login_is_named(changed, setting):
    with pytest.raises(ConfigurationError) as caught:
        server(**changed)

    assert caught.value.setting == setting


def test_a_token_needs_no_password():
    assert server(token="abc", password=None, login="").token is not None


def test_an_empty_password_is_a_password():
    assert server(password="").password is not None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("False", False),
        (" /etc/ssl/our.pem ", "/etc/ssl/our.pem"),
    ],
)
def test_verify_is_read(written, meant):
    assert server(verify=written).verify == meant


@pytest.mark.parametrize(
    "changed",
    [
        {"passwort": "hunter2"},
        {"token": ["hunter2"]},
        {"connections": "hunter2"},
        {"requests_per_second": 0},
        {"connections": 0},
        {"connections": 65},
        {"read_timeout_seconds": -1},
    ],
)
def test_what_is_refused_is_not_quoted(changed):
    with pytest.raises(ValidationError) as caught:
        server(**changed)

    assert "hunter2" not in str(caught.value)


def test_no_secret_is_shown():
    settings = Settings(
        server=server(password="hunter2", token="hunter3"),
        store=StoreSettings(url="postgresql://bot:hunter4@db/locks"),
    )

    shown = repr(settings) + str(settings) + settings.model_dump_json()
    assert "hunter" not in shown


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError):
        server().url = "https://other.example.com"


def test_three_beats_must_fit():
    with pytest.raises(ConfigurationError, match="beat"):
        LockSettings(beat=timedelta(seconds=16))
    assert LockSettings(beat=timedelta(seconds=15)).ttl == timedelta(seconds=60)


def test_the_bridge_is_at_least_the_ttl():
    with pytest.raises(ConfigurationError, match="lease"):
        LockSettings(bridge=timedelta(seconds=59))


def test_a_locked_role_keeps_no_right_to_write():
    writing = ("edit", "add", "delete", "close", "merge", "admin", "replace", "others")
    assert not [
        name for name in READ_ONLY_PERMISSIONS if any(word in name for word in writing)
    ]
    assert "issue_view_not_own" in READ_ONLY_PERMISSIONS
