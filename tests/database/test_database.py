from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from airflow_codebeamer.database import STEPS, Database, event_table
from airflow_codebeamer.settings import StoreSettings

EVENT = {"server": "s", "tracker_id": 1}


def _kinds(database: Database) -> list[str]:
    with database.read() as connection:
        statement = select(event_table.c.kind).order_by(event_table.c.number)
        return list(connection.scalars(statement))


def _add(database: Database, kind: str) -> None:
    with database.begin() as connection:
        connection.execute(
            insert(event_table).values(**EVENT, kind=kind, at=database.now)
        )


KILLED = """
import sys
from sqlalchemy import insert
from airflow_codebeamer.database import Database, event_table
from airflow_codebeamer.settings import StoreSettings

database = Database(StoreSettings(url=sys.argv[1]))
for kind in ("first", "second"):
    with database.begin() as connection:
        connection.execute(insert(event_table).values(
            server="s", tracker_id=1, kind=kind, at=database.now))
        if kind == "second":
            print("inside", flush=True)
            sys.stdin.readline()
"""


def test_killed_process_leaves_what_it_committed(
    store_url: str, process, database: Database
) -> None:
    child = process(KILLED, store_url)
    assert child.stdout.readline() == "inside\n", child.stderr.read()
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert _kinds(database) == ["first"]
    _add(database, "third")
    assert _kinds(database) == ["first", "third"]


FORKED = """
import os, sys
from sqlalchemy import insert
from airflow_codebeamer.database import Database, event_table
from airflow_codebeamer.settings import StoreSettings

database = Database(StoreSettings(url=sys.argv[1]))

def add(kind):
    with database.begin() as connection:
        connection.execute(insert(event_table).values(
            server="s", tracker_id=1, kind=kind, at=database.now))
        return id(connection.connection.driver_connection)

ours = add("parent")
child = os.fork()
if child == 0:
    is_inherited = add("child") == ours
    database.close()
    os._exit(int(is_inherited))
assert os.waitpid(child, 0)[1] == 0
add("parent again")
"""


def test_forked_child_uses_connections_of_its_own(
    store_url: str, process, database: Database
) -> None:
    child = process(FORKED, store_url)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    assert _kinds(database) == ["parent", "child", "parent again"]


def test_constructor_opens_nothing(tmp_path: Path) -> None:
    Database(StoreSettings(url=f"sqlite:///{tmp_path / 'store.db'}"))
    assert list(tmp_path.iterdir()) == []


def test_closed_store_opens_again(database: Database) -> None:
    _add(database, "before")
    database.close()
    _add(database, "after")
    assert _kinds(database) == ["before", "after"]


def test_threads_share_a_store(database: Database) -> None:
    threads = [
        threading.Thread(target=_add, args=(database, str(n))) for n in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(_kinds(database), key=int) == [str(n) for n in range(12)]


def test_check_of_sqlite_says_what_is_in_force(tmp_path: Path, open_store) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    store.ensure()
    found = "\n".join(store.check())
    assert f"store: sqlite:///{tmp_path / 'store.db'}" in found
    assert f"tables: version {STEPS[-1].version}" in found
    assert "journal mode: wal, synchronous: FULL" in found
    assert "host: " in found
    assert "clock: " in found


@pytest.mark.postgres
def test_check_of_postgres_says_what_is_in_force(postgres_url: str, open_store) -> None:
    store = open_store(postgres_url.replace("postgres:", "postgres:hunter2"))
    store.ensure()
    found = "\n".join(store.check())
    assert "postgres:***@" in found
    assert "hunter2" not in found
    assert "server: PostgreSQL" in found
    assert "read committed" in found
    assert "synchronous_commit: on" in found
    assert "fsync: on, full_page_writes: on" in found
    assert "replica" not in found


def test_address_for_messages_has_no_password(open_store) -> None:
    store = open_store("postgresql://keeper:hunter2@db.example.com/locks")
    assert store.address == "postgresql://keeper:***@db.example.com/locks"
