"""`--writers`: two accounts in turn, on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from airflow_codebeamer.cli.writers import read_writers
from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.settings import ServerSettings

SERVER = ServerSettings(
    url="https://alm.example.com/cb",
    login="locksmith",
    password=SecretStr("main-secret-1"),
    verify="/etc/ca.pem",
    requests_per_minute=60,
)


def test_files_roles_and_the_rest_of_the_server(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("secret-a\n")
    a, b = read_writers(f"gen-a:generator-a={file}, gen-b={file}", SERVER)
    assert (a.login, a.exclusive_role) == ("gen-a", "generator-a")
    assert (b.login, b.exclusive_role) == ("gen-b", "gen-b")
    assert a.password is not None
    assert a.password.get_secret_value() == "secret-a"
    assert (a.verify, a.requests_per_minute, a.base) == (
        "/etc/ca.pem",
        60,
        SERVER.base,
    )
    assert read_writers("", SERVER) == ()


def test_passwords_and_tokens_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CODEBEAMER_WRITER_1_PASSWORD", "one")
    monkeypatch.setenv("CODEBEAMER_WRITER_2_TOKEN", "two")
    a, b = read_writers("gen-a,gen-b", SERVER)
    assert a.password is not None
    assert a.password.get_secret_value() == "one"
    assert a.token is None
    assert b.token is not None
    assert b.token.get_secret_value() == "two"
    assert b.password is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gen-a,gen-b", "CODEBEAMER_WRITER_1_PASSWORD"),
        (":role=file", "LOGIN"),
        ("gen-a=/no/such/file", "cannot be read"),
    ],
)
def test_what_is_missing_is_said(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        read_writers(text, SERVER)
