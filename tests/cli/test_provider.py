"""The commands as `airflow codebeamer …`, in processes of a real Airflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer.emulator import DEMO_TRACKER_ID

pytestmark = pytest.mark.airflow

TRACKER = str(DEMO_TRACKER_ID)


class Airflow:
    """An Airflow home with a migrated database; runs Airflow's own command."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def run(self, *args: str, **variables: str) -> subprocess.CompletedProcess[str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AIRFLOW", "CODEBEAMER", "_AIRFLOW"))
        }
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *args],
            env={
                **kept,
                "AIRFLOW_HOME": str(self.home),
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                **variables,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        with (self.home / "transcript.txt").open("a") as kept_words:
            kept_words.write(f"{done.returncode}\n{done.stdout}\n{done.stderr}\n")
        return done

    def codebeamer(
        self, *args: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return self.run("codebeamer", *args, **variables)


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    made = Airflow(tmp_path_factory.mktemp("airflow-cli"))
    done = made.run("db", "migrate")
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture
def connected(airflow: Airflow, server: Any, commands: Any) -> dict[str, str]:
    """Return the environment of an Airflow machine: connections, nothing of ours."""
    connection = {
        "conn_type": "codebeamer",
        "host": server.url,
        "login": "generator",
        "password": commands.secret,
        "extra": {
            "exclusive_role": "Generator",
            "requests_per_second": "off",
            "requests_per_minute": "off",
        },
    }
    return {
        "AIRFLOW_CONN_CODEBEAMER_DEFAULT": json.dumps(connection),
        "AIRFLOW_CONN_CODEBEAMER_LOCK_STORE": commands.store,
    }


def test_it_needs_no_option_on_an_airflow_machine(
    airflow: Airflow, connected: dict[str, str], commands: Any
) -> None:
    done = airflow.codebeamer(
        "lock", "acquire", TRACKER, "--owner", "me", "--json", **connected
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["locks"][0]["owner"]["key"] == "me"
    done = airflow.codebeamer("lock", "list", **connected)
    assert done.returncode == 0, done.stderr
    assert f"{TRACKER}     held   me" in done.stdout
    # The store is that of the connection, the account that of the server.
    assert len(commands.json("lock", "list")["locks"]) == 1
    assert not list(airflow.home.glob("codebeamer_locks.db"))


def test_connections_of_the_database_and_the_configured_store(
    airflow: Airflow, connected: dict[str, str], commands: Any
) -> None:
    connection = json.loads(connected["AIRFLOW_CONN_CODEBEAMER_DEFAULT"])
    connection["extra"]["token"] = "wrong-token"
    # From a file, as a person with a secret should do it.
    file = airflow.home / "connections.json"
    file.write_text(json.dumps({"elsewhere": connection}))
    imported = airflow.run("connections", "import", str(file))
    assert imported.returncode == 0, imported.stderr
    file.unlink()
    store = {"AIRFLOW__CODEBEAMER__LOCK_STORE": commands.store}

    unknown = airflow.codebeamer("--conn-id", "elsewhere", "doctor", TRACKER, **store)
    assert unknown.returncode == 1
    assert "check the token" in unknown.stdout
    assert f"sqlite:///{commands.store.removeprefix('sqlite:///')}" in unknown.stdout


def test_a_password_goes_to_no_other_server(
    airflow: Airflow, connected: dict[str, str], server: Any
) -> None:
    url = server.url.replace("127.0.0.1", "localhost")
    for option in (("--url", url), (f"--url={url}",)):
        done = airflow.codebeamer("doctor", *option, **connected)
        assert done.returncode == 64
        assert "--user" in done.stderr
    assert server.calls() == []


def test_what_is_wrong_with_a_connection_is_one_sentence(
    airflow: Airflow, connected: dict[str, str]
) -> None:
    done = airflow.codebeamer("--conn-id", "nowhere", "lock", "list", **connected)
    assert done.returncode == 64
    assert "connection nowhere: there is none of that name" in done.stderr
    assert "Traceback" not in done.stderr


def test_looking_needs_no_connection(airflow: Airflow) -> None:
    done = airflow.codebeamer("lock", "list")
    assert done.returncode == 0, done.stderr
    assert "No tracker is locked." in done.stdout
    file = airflow.home / "codebeamer_locks.db"
    assert file.exists()
    file.unlink()


def test_everything_else_is_passed_on(airflow: Airflow) -> None:
    done = airflow.codebeamer("help")
    assert done.returncode == 0, done.stderr
    assert "recover" in done.stdout
    done = airflow.codebeamer("lock", "acquire", "x", "--owner", "me")
    assert done.returncode == 64
    assert "valid integer" in done.stderr
