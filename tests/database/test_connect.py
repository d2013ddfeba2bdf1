from __future__ import annotations

import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.engine import Connection, make_url

from airflow_codebeamer.database import (
    Database,
    event_table,
    insert_missing,
    lock_table,
)
from airflow_codebeamer.errors import DatabaseError

KEY = {"server": "s", "tracker_id": 1}
SHORT = timedelta(seconds=0.4)


def _pragma(connection: Connection, name: str) -> object:
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()


def _setting(connection: Connection, name: str) -> object:
    return connection.scalar(text(f"SELECT current_setting('{name}')"))


def _epoch(connection: Connection) -> int:
    return connection.execute(select(lock_table.c.epoch)).scalar_one()


@pytest.fixture
def sqlite(tmp_path: Path, open_store) -> Database:
    return open_store(f"sqlite:///{tmp_path / 'store.db'}")


@pytest.mark.trap("T2", "T24")
def test_sqlite_keeps_every_commit(sqlite: Database) -> None:
    for transaction in (sqlite.begin, sqlite.begin, sqlite.read):
        with transaction() as connection:
            assert _pragma(connection, "journal_mode") == "wal"
            assert _pragma(connection, "synchronous") == 2
            assert _pragma(connection, "foreign_keys") == 1
            assert _pragma(connection, "busy_timeout") == 10_000
            # None: the driver begins nothing by itself.
            assert connection.connection.driver_connection.isolation_level is None


@pytest.mark.trap("T23")
def test_sqlite_takes_the_write_lock_before_it_reads(
    sqlite: Database, tmp_path: Path, open_store
) -> None:
    with sqlite.begin() as connection:
        connection.execute(insert(lock_table).values(**KEY))
    other = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    entered, seen = threading.Event(), []

    def read_then_write() -> None:
        with other.begin() as connection:
            entered.set()
            seen.append(_epoch(connection))
            connection.execute(update(lock_table).values(epoch=seen[0] + 1))

    with sqlite.begin() as connection:
        second = threading.Thread(target=read_then_write)
        second.start()
        epoch = _epoch(connection)
        assert not entered.wait(0.4)
        connection.execute(update(lock_table).values(epoch=epoch + 1))
    second.join()
    assert seen == [1]
    with sqlite.read() as connection:
        assert _epoch(connection) == 2


def test_reader_does_not_wait_for_a_writer(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(insert(lock_table).values(**KEY))
    with database.begin() as writer:
        writer.execute(update(lock_table).values(epoch=7))
        began = time.monotonic()
        with database.read() as reader:
            assert _epoch(reader) == 0
        assert time.monotonic() - began < 2


@pytest.mark.trap("T19")
def test_conditional_updates_of_many_writers_are_all_counted(
    store_url: str, open_store
) -> None:
    stores = [open_store(store_url) for _ in range(4)]
    with stores[0].begin() as connection:
        connection.execute(insert(lock_table).values(**KEY))
    won: list[int] = []

    def count_up(store: Database) -> None:
        for _ in range(10):
            with store.begin() as connection:
                seen = _epoch(connection)
                result = connection.execute(
                    update(lock_table)
                    .where(lock_table.c.epoch == seen)
                    .values(epoch=lock_table.c.epoch + 1)
                )
            won.append(result.rowcount)

    threads = [threading.Thread(target=count_up, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 40
    with stores[0].read() as connection:
        assert _epoch(connection) == sum(won) > 0


@pytest.mark.postgres
@pytest.mark.trap("T2")
def test_postgres_keeps_every_commit(
    postgres_server, postgres_url: str, open_store
) -> None:
    # A database's habit of losing the last commits must not reach our tables.
    name = make_url(postgres_url).database
    for habit in (
        "synchronous_commit = off",
        "default_transaction_isolation = serializable",
    ):
        postgres_server.run(f"ALTER DATABASE {name} SET {habit}")
    with open_store(postgres_url).begin() as connection:
        assert _setting(connection, "synchronous_commit") == "on"
        assert _setting(connection, "transaction_isolation") == "read committed"
        assert _setting(connection, "lock_timeout") == "10s"
        assert _setting(connection, "statement_timeout") == "30s"
        assert _setting(connection, "idle_in_transaction_session_timeout") == "1min"


def test_error_rolls_everything_back(database: Database) -> None:
    def write_and_fail() -> None:
        with database.begin() as connection:
            connection.execute(insert(lock_table).values(**KEY))
            raise KeyError

    with pytest.raises(KeyError):
        write_and_fail()
    with database.begin() as connection:
        assert connection.execute(select(lock_table)).all() == []


def test_stuck_store_is_an_error_and_no_wait(store_url: str, open_store) -> None:
    holder = open_store(store_url)
    with holder.begin() as connection:
        connection.execute(insert(lock_table).values(**KEY))
    waiter = open_store(store_url, patience=SHORT)
    waiter.ensure()
    with holder.begin() as connection:
        connection.execute(update(lock_table).values(epoch=1))
        began = time.monotonic()
        with pytest.raises(DatabaseError, match="kept busy"), waiter.begin() as other:
            other.execute(update(lock_table).values(epoch=2))
        assert 0.3 < time.monotonic() - began < 5
    with holder.read() as connection:
        assert _epoch(connection) == 1


def test_transaction_inside_a_transaction_is_refused_at_once(
    database: Database,
) -> None:
    with database.begin():
        began = time.monotonic()
        with pytest.raises(DatabaseError, match="pass its connection"):
            database.begin().__enter__()
        assert time.monotonic() - began < 1
    with database.begin() as connection:
        connection.execute(insert(lock_table).values(**KEY))


def test_reader_cannot_write(database: Database) -> None:
    with pytest.raises(DatabaseError), database.read() as connection:
        connection.execute(insert(lock_table).values(**KEY))
    with database.begin() as connection:
        connection.execute(insert(lock_table).values(**KEY))
        connection.execute(update(lock_table).values(epoch=3))
    with database.read() as connection:
        assert _epoch(connection) == 3


def test_insert_missing_says_whether_it_was_missing(database: Database) -> None:
    with database.begin() as connection:
        assert insert_missing(connection, lock_table, **KEY, reason="first")
        assert not insert_missing(connection, lock_table, **KEY, reason="second")
        found = connection.scalars(select(lock_table.c.reason)).all()
    assert found == ["first"]


def test_numbers_are_given_by_the_store(database: Database) -> None:
    row = {**KEY, "kind": "seen", "at": database.now}
    numbers = event_table.c.number
    with database.begin() as connection:
        for _ in range(2):
            connection.execute(insert(event_table).values(**row))
        assert connection.scalars(select(numbers).order_by(numbers)).all() == [1, 2]
