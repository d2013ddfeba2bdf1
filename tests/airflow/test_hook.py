"""The hook: settings from Airflow's places, and what the test button says."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from airflow.sdk.log import redact

from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.hooks import CodebeamerHook


def test_nothing_is_read_in_the_constructor() -> None:
    hook = CodebeamerHook("there_is_no_such_connection")
    with pytest.raises(ConfigurationError, match="create it, of the type Codebeamer"):
        _ = hook.settings


def test_connection_of_another_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CB", "postgres://a:b@db/x")
    with pytest.raises(ConfigurationError, match="make it codebeamer"):
        _ = CodebeamerHook("cb").settings


def test_lock_store_by_connection_configuration_and_default(
    here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def store() -> str:
        return CodebeamerHook().settings.store.url.get_secret_value()

    uri = "postgres://locks:store-secret-9@db:5433/locks"
    monkeypatch.setenv("AIRFLOW_CONN_CODEBEAMER_LOCK_STORE", uri)
    assert store() == "postgresql://locks:store-secret-9@db:5433/locks"
    monkeypatch.delenv("AIRFLOW_CONN_CODEBEAMER_LOCK_STORE")
    assert store() == here.store
    monkeypatch.delenv("AIRFLOW__CODEBEAMER__LOCK_STORE")
    monkeypatch.setenv("AIRFLOW_HOME", "/srv/airflow")
    assert store() == "sqlite:////srv/airflow/codebeamer_locks.db"


def test_timing_from_the_configuration(
    here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CODEBEAMER__POLL_SECONDS", "7.5")
    assert CodebeamerHook().settings.lock.poll.total_seconds() == 7.5
    monkeypatch.setenv("AIRFLOW__CODEBEAMER__POLL_SECONDS", "often")
    with pytest.raises(ConfigurationError, match="number of seconds"):
        _ = CodebeamerHook().settings


def test_the_policy_of_notices_from_the_configuration(
    here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert CodebeamerHook().settings.lock.notice == "try"
    monkeypatch.setenv("AIRFLOW__CODEBEAMER__NOTICE", "required")
    assert CodebeamerHook().settings.lock.notice == "required"
    monkeypatch.setenv("AIRFLOW__CODEBEAMER__NOTICE", "maybe")
    with pytest.raises(ConfigurationError, match="try or required"):
        _ = CodebeamerHook().settings


def test_the_certificate_from_the_configuration(
    here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert CodebeamerHook().settings.lock.certificate == "off"
    monkeypatch.setenv("AIRFLOW__CODEBEAMER__CERTIFICATE", "fail")
    assert CodebeamerHook().settings.lock.certificate == "fail"
    monkeypatch.setenv("AIRFLOW__CODEBEAMER__CERTIFICATE", "perhaps")
    with pytest.raises(ConfigurationError, match="off, warn or fail"):
        _ = CodebeamerHook().settings


def test_two_accounts_in_turn_are_those_of_two_connections(
    here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert CodebeamerHook().settings.writers == ()
    for name in ("a", "b"):
        writer = {
            **json.loads(here.connection(exclusive_role=f"generator-{name}")),
            "login": f"gen-{name}",
            "password": f"secret-{name}",
        }
        monkeypatch.setenv(f"AIRFLOW_CONN_CB_{name.upper()}", json.dumps(writer))
    main = here.connection(rotation="cb_a, cb_b")
    monkeypatch.setenv("AIRFLOW_CONN_CODEBEAMER_DEFAULT", main)
    settings = CodebeamerHook().settings
    assert [one.login for one in settings.writers] == ["gen-a", "gen-b"]
    assert settings.server.login == "generator"
    assert settings.writers[1].exclusive_role == "generator-b"
    _, sentence = CodebeamerHook().test_connection()
    assert "gen-b in the role generator-b write in turn" in sentence
    main = here.connection(rotation="cb_a")
    monkeypatch.setenv("AIRFLOW_CONN_CODEBEAMER_DEFAULT", main)
    with pytest.raises(ConfigurationError, match="name two connections"):
        _ = CodebeamerHook().settings


def test_button_with_nothing_missing(here: Any) -> None:
    good, sentence = CodebeamerHook().test_connection()
    assert good, sentence
    assert sentence == (
        f"Connected to {here.server.url} as generator; the role Generator keeps "
        "write access while a tracker is locked, as in the project Brake System; "
        "nothing is missing."
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"exclusive_role": ""}, "missing: the extra exclusive_role"),
        ({"exclusive_role": "Robot"}, "membership of generator in the role Robot"),
        ({"requests_per_second": "fast"}, "say a number above 0"),
    ],
)
def test_button_says_what_is_missing(
    here: Any, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], said: str
) -> None:
    text = here.connection(**change)
    monkeypatch.setenv("AIRFLOW_CONN_CODEBEAMER_DEFAULT", text)
    good, sentence = CodebeamerHook().test_connection()
    assert not good
    assert said in sentence
    assert "\n" not in sentence


def test_button_with_a_wrong_password(
    here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = json.loads(here.connection()) | {"password": "wrong-secret-8"}
    monkeypatch.setenv("AIRFLOW_CONN_CODEBEAMER_DEFAULT", json.dumps(wrong))
    good, sentence = CodebeamerHook().test_connection()
    assert not good
    assert "wrong-secret-8" not in sentence


def test_button_without_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = {"host": "http://127.0.0.1:9/cb", "login": "a", "password": "b"}
    text = json.dumps({"conn_type": "codebeamer", **nobody})
    monkeypatch.setenv("AIRFLOW_CONN_CODEBEAMER_DEFAULT", text)
    good, sentence = CodebeamerHook().test_connection()
    assert not good
    assert "127.0.0.1:9" in sentence


def test_button_with_a_store_that_cannot_be(
    here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CODEBEAMER__LOCK_STORE", "sqlite:////nowhere/x.db")
    good, sentence = CodebeamerHook().test_connection()
    assert not good
    assert "missing: a usable lock store (" in sentence


def test_derived_credentials_are_masked(here: Any) -> None:
    _ = CodebeamerHook().settings
    account = json.loads(here.connection())
    pair = f"{account['login']}:{account['password']}".encode()
    header = f"Basic {base64.b64encode(pair).decode()}"
    assert redact(f"sent {header}") == "sent Basic ***"


def test_get_conn_is_a_client(here: Any) -> None:
    with CodebeamerHook().get_conn() as client:
        user = client.users.find_user("generator")
    assert user is not None
    assert user.name == "generator"
