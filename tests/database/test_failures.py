from __future__ import annotations

import socket
import time
import traceback
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, make_url, text

from airflow_codebeamer.database import lock_table
from airflow_codebeamer.errors import DatabaseError, DatabaseUnsafeError, Retry

SECRET = "hunter2"


def _everything(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error)


def test_store_that_does_not_answer_is_named_without_its_password(
    open_store,
) -> None:
    store = open_store(f"postgresql://keeper:{SECRET}@127.0.0.1:1/locks")
    for use in (store.ensure, store.check, store.begin().__enter__):
        with pytest.raises(DatabaseError, match="does not answer") as caught:
            use()
        assert "127.0.0.1:1/locks" in str(caught.value)
        assert SECRET not in _everything(caught.value)
        assert caught.value.__cause__ is not None
        assert caught.value.retry is Retry.YES


def test_server_that_accepts_and_stays_silent_is_an_error(open_store) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        store = open_store(
            f"postgresql://keeper:{SECRET}@127.0.0.1:{port}/locks",
            patience=timedelta(seconds=1),
        )
        began = time.monotonic()
        with pytest.raises(DatabaseError, match="does not answer"):
            store.ensure()
        assert time.monotonic() - began < 15


@pytest.mark.postgres
def test_wrong_password_is_told_and_not_shown(
    postgres_server, postgres_url: str, open_store
) -> None:
    name = make_url(postgres_url).database
    user = f"keeper_{name}"
    postgres_server.run(f"CREATE ROLE {user} LOGIN PASSWORD 'right'")
    rules = postgres_server.data / "pg_hba.conf"
    old_rules = rules.read_text("utf-8")
    rules.write_text(f"local all {user} scram-sha-256\n{old_rules}", "utf-8")
    postgres_server.run("SELECT pg_reload_conf()")
    try:
        wrong = postgres_server.address(name, user=user, password=SECRET)
        error = _first_failure(open_store, wrong)
    finally:
        rules.write_text(old_rules, "utf-8")
        postgres_server.run("SELECT pg_reload_conf()")
        postgres_server.run(f"DROP ROLE {user}")
    assert "refuses the log-in" in str(error)
    assert user in str(error)
    assert SECRET not in _everything(error)


def _first_failure(open_store, url: str) -> DatabaseError:
    # The server takes new rules a moment after it was told.
    for _ in range(100):
        try:
            open_store(url).check()
        except DatabaseError as error:
            if "store migrate" not in str(error):
                return error
        time.sleep(0.05)
    raise AssertionError("the wrong password was never refused")


@pytest.mark.postgres
def test_user_without_rights_is_told(
    postgres_server, postgres_url: str, open_store
) -> None:
    name = make_url(postgres_url).database
    user = f"guest_{name}"
    postgres_server.run(f"CREATE ROLE {user} LOGIN")
    try:
        store = open_store(postgres_server.address(name, user=user))
        with pytest.raises(DatabaseError, match="grant it the right"):
            store.ensure()
        store.close()
    finally:
        postgres_server.run(f"DROP ROLE {user}")


@pytest.mark.postgres
def test_read_only_postgres_is_refused(
    postgres_server, postgres_url: str, open_store
) -> None:
    name = make_url(postgres_url).database
    postgres_server.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    store = open_store(postgres_url)
    for use in (store.ensure, store.check):
        with pytest.raises(DatabaseUnsafeError, match="read-only"):
            use()


@pytest.mark.postgres
def test_connection_that_broke_is_replaced(
    postgres_server, postgres_url: str, open_store
) -> None:
    store = open_store(postgres_url)
    name = make_url(postgres_url).database
    end_all = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{name}'"
    )
    store.ensure()
    postgres_server.run(end_all)
    with store.begin() as connection:
        connection.execute(insert(lock_table).values(server="s", tracker_id=1))

    def write_after_the_end() -> None:
        with store.begin() as connection:
            postgres_server.run(end_all)
            connection.execute(insert(lock_table).values(server="s", tracker_id=2))

    with pytest.raises(DatabaseError) as caught:
        write_after_the_end()
    assert caught.value.retry is Retry.YES
    with store.read() as connection:
        assert len(connection.execute(lock_table.select()).all()) == 1


def test_file_that_is_no_database_is_left_alone(tmp_path: Path, open_store) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database " * 100)
    before = file.read_bytes()
    with pytest.raises(DatabaseError, match="no SQLite database") as caught:
        open_store(f"sqlite:///{file}").ensure()
    assert str(file) in str(caught.value)
    assert file.read_bytes() == before


def test_values_of_a_statement_are_not_shown(database) -> None:
    row = {"server": "s", "tracker_id": 1, "reason": SECRET}
    twice = insert(lock_table).values([row, row])
    with pytest.raises(DatabaseError) as caught, database.begin() as connection:
        connection.execute(twice)
    assert SECRET not in _everything(caught.value)
    assert caught.value.retry is Retry.NEVER


def test_wrong_statement_is_not_worth_a_repetition(database) -> None:
    with pytest.raises(DatabaseError) as caught, database.begin() as connection:
        connection.execute(text("SELECT 1 FROM nowhere"))
    assert "nowhere" in str(caught.value)


MISSING_DRIVER = """
import sys
sys.modules["psycopg2"] = None
from airflow_codebeamer.database import Database
from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.settings import StoreSettings

try:
    Database(StoreSettings(url="postgresql://u:hunter2@db/locks")).ensure()
except ConfigurationError as error:
    print(error)
"""


def test_missing_driver_names_the_extra(process) -> None:
    out, err = process(MISSING_DRIVER).communicate(timeout=60)
    assert "airflow-provider-codebeamer[postgres]" in out, err
    assert SECRET not in out
