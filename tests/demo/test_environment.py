from __future__ import annotations

import json
from pathlib import Path

from airflow_codebeamer.demo.environment import (
    Ports,
    airflow_environment,
    clean_environment,
    codebeamer_connection,
)

PORTS = Ports(api=18080, worker_log=18793, trigger_log=18794)


def test_the_callers_own_airflow_stays_outside() -> None:
    kept = clean_environment(
        {
            "PATH": "/bin",
            "AIRFLOW_HOME": "/mine",
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW_CONN_CODEBEAMER_DEFAULT": "{}",
            "CODEBEAMER_URL": "https://alm.example.com/cb",
        }
    )
    assert kept == {"PATH": "/bin"}


def test_everything_lives_in_the_home_and_on_loopback() -> None:
    home = Path("/somewhere/else")
    told = airflow_environment(home, PORTS)
    assert told["AIRFLOW_HOME"] == str(home)
    assert told["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].startswith(f"sqlite:///{home}/")
    assert told["AIRFLOW__CORE__DAGS_FOLDER"] == str(home / "dags")
    assert told["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert told["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:18080"
    assert told["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"


def test_database_addresses_are_handed_on() -> None:
    told = airflow_environment(
        Path("/h"), PORTS, database_url="pg://sync", database_url_async="pg://async"
    )
    assert told["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == "pg://sync"
    assert told["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"] == "pg://async"


def test_every_airflow_gets_keys_of_its_own() -> None:
    one, other = (airflow_environment(Path("/h"), PORTS) for _ in range(2))
    for name in (
        "AIRFLOW__CORE__FERNET_KEY",
        "AIRFLOW__API__SECRET_KEY",
        "AIRFLOW__API_AUTH__JWT_SECRET",
    ):
        assert one[name] != other[name]


def test_a_connection_reads_back() -> None:
    found = codebeamer_connection(
        "http://127.0.0.1:1/cb", login="generator", password="p@ss:/word", verify=False
    )
    assert json.loads(json.dumps(found)) == {
        "conn_type": "codebeamer",
        "host": "http://127.0.0.1:1/cb",
        "login": "generator",
        "password": "p@ss:/word",
        "extra": {"verify": False},
    }
