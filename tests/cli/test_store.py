from __future__ import annotations

from pathlib import Path
from typing import Any


def test_tables_are_made_once(commands: Any) -> None:
    outdated = commands.run("store", "check", "--json")
    assert outdated.code == 1
    assert outdated.document["error"]["kind"] == "SchemaOutdatedError"
    assert "store migrate" in outdated.err
    assert commands.json("store", "migrate")["applied"]
    assert commands.json("store", "migrate")["applied"] == []
    assert commands.run("store", "migrate").out == "nothing to do\n"
    assert commands.json("store", "check")["findings"]


def test_the_default_store_is_below_airflow_home(commands: Any, tmp_path: Path) -> None:
    home = tmp_path / "airflow"
    ran = commands.run(
        "store", "migrate", CODEBEAMER_LOCK_STORE="", AIRFLOW_HOME=str(home)
    )
    assert ran.code == 0, ran.err
    assert (home / "codebeamer_locks.db").exists()


def test_a_store_needs_no_server(commands: Any) -> None:
    away = {"CODEBEAMER_URL": "", "CODEBEAMER_USER": "", "CODEBEAMER_PASSWORD": ""}
    assert commands.run("store", "migrate", **away).code == 0
    assert commands.run("store", "check", **away).code == 0
