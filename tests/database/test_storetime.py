from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import insert, select, update

from airflow_codebeamer.clock import ManualClock
from airflow_codebeamer.database import Database, lock_table

KEY = {"server": "s", "tracker_id": 1}


def test_store_time_is_the_time_of_day(database: Database) -> None:
    with database.read() as connection:
        found = connection.scalar(select(database.now))
    assert isinstance(found, float)
    assert abs(found - time.time()) < 2


@pytest.mark.trap("T21")
def test_store_time_goes_on_inside_a_transaction(database: Database) -> None:
    with database.begin() as connection:
        first = connection.scalar(select(database.now))
        time.sleep(0.05)
        second = connection.scalar(select(database.now))
    assert 0.04 < second - first < 5


@pytest.mark.trap("T21")
def test_update_that_waited_sees_the_time_after_its_wait(
    store_url: str, open_store
) -> None:
    ours, theirs = open_store(store_url), open_store(store_url)
    with ours.begin() as connection:
        connection.execute(insert(lock_table).values(**KEY))
    statement = update(lock_table).values(changed_at=theirs.now)

    def wait_and_write() -> None:
        with theirs.begin() as connection:
            connection.execute(statement)

    other = threading.Thread(target=wait_and_write)
    with ours.begin() as connection:
        connection.execute(update(lock_table).values(reason="held"))
        other.start()
        time.sleep(0.3)
        released = connection.scalar(select(ours.now))
    other.join()
    with ours.read() as connection:
        assert connection.scalar(select(lock_table.c.changed_at)) >= released


def test_store_time_of_a_clock_is_that_clock_exactly(
    store_url: str, open_store, clock: ManualClock
) -> None:
    database = open_store(store_url, clock=clock)
    statement = select(database.now)
    write = update(lock_table).values(changed_at=database.now)
    with database.begin() as connection:
        connection.execute(insert(lock_table).values(**KEY, changed_at=database.now))
        assert connection.scalar(statement) == clock.now().timestamp()
        clock.advance(0.123456)
        assert connection.scalar(statement) == clock.now().timestamp()
        connection.execute(write)
        clock.advance(3600)
        connection.execute(write.where(lock_table.c.changed_at + 3600 <= database.now))
        stored = connection.scalar(select(lock_table.c.changed_at))
    assert stored == clock.now().timestamp()
