from __future__ import annotations

import json
import subprocess
import threading
import time

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import Connection

from airflow_codebeamer.database import STEPS, Step, metadata, schema_table
from airflow_codebeamer.errors import (
    DatabaseError,
    SchemaNewerError,
    SchemaOutdatedError,
)

NAMES = [f"{step.version:04d} {step.name}" for step in STEPS]
NEWEST = STEPS[-1].version


def _add_table(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE codebeamer_later (number INTEGER)"))


def _fail_half_way(connection: Connection) -> None:
    _add_table(connection)
    raise ZeroDivisionError


LATER = (*STEPS, Step(NEWEST + 1, "later", _add_table))


def _tables(url: str) -> set[str]:
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg2:"))
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_new_store_gets_every_table(store_url: str, open_store) -> None:
    assert open_store(store_url).migrate() == NAMES
    assert _tables(store_url) == set(metadata.tables)
    assert all(name.startswith("codebeamer_") for name in _tables(store_url))


def test_tables_are_those_of_the_schema(database) -> None:
    with database.read() as connection:
        for table in metadata.sorted_tables:
            found = inspect(connection).get_columns(table.name)
            assert {c["name"]: c["nullable"] for c in found} == {
                column.name: column.nullable for column in table.columns
            }
            indexes = inspect(connection).get_indexes(table.name)
            assert {index.name for index in table.indexes} <= {
                index["name"] for index in indexes
            }


def test_migrated_store_is_left_alone(store_url: str, open_store) -> None:
    open_store(store_url).ensure()
    again = open_store(store_url)
    assert again.migrate() == []
    assert again.migrate() == []


def test_older_store_is_migrated_on_first_use(store_url: str, open_store) -> None:
    open_store(store_url).ensure()
    newer_code = open_store(store_url, steps=LATER)
    with pytest.raises(SchemaOutdatedError) as caught:
        newer_code.check()
    assert (caught.value.found, caught.value.wanted) == (NEWEST, NEWEST + 1)
    assert "codebeamer_later" not in _tables(store_url)
    with newer_code.begin() as connection:
        rows = connection.execute(
            schema_table.select().order_by(schema_table.c.version)
        ).all()
    assert [(row.version, row.name) for row in rows] == [
        (step.version, step.name) for step in LATER
    ]
    assert "codebeamer_later" in _tables(store_url)
    newer_code.check()


def test_newer_store_is_refused_by_everything(store_url: str, open_store) -> None:
    open_store(store_url, steps=LATER).ensure()
    older_code = open_store(store_url)
    for use in (
        older_code.ensure,
        older_code.migrate,
        older_code.check,
        older_code.begin().__enter__,
        older_code.read().__enter__,
    ):
        with pytest.raises(SchemaNewerError, match="upgrade") as caught:
            use()
        assert (caught.value.found, caught.value.wanted) == (NEWEST + 1, NEWEST)


def test_step_that_fails_leaves_nothing(store_url: str, open_store) -> None:
    open_store(store_url).ensure()
    broken = (*STEPS, Step(NEWEST + 1, "broken", _fail_half_way))
    with pytest.raises(ZeroDivisionError):
        open_store(store_url, steps=broken).ensure()
    assert "codebeamer_later" not in _tables(store_url)
    assert open_store(store_url).migrate() == []


def test_missing_tables_are_found_but_not_made_by_check(
    store_url: str, open_store, tmp_path
) -> None:
    with pytest.raises(SchemaOutdatedError, match="store migrate"):
        open_store(store_url).check()
    assert list(tmp_path.iterdir()) == []
    if store_url.startswith("postgresql"):
        assert _tables(store_url) == set()


PROGRAM = """
import json, sys
from airflow_codebeamer.database import Database
from airflow_codebeamer.settings import StoreSettings

database = Database(StoreSettings(url=sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps(database.migrate()))
"""


def test_processes_that_migrate_at_once_do_it_once(
    store_url: str, process, database
) -> None:
    children: list[subprocess.Popen[str]] = [
        process(PROGRAM, store_url) for _ in range(4)
    ]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    answers = [child.communicate(timeout=60) for child in children]
    assert [child.returncode for child in children] == [0] * 4, answers
    applied = [name for out, _ in answers for name in json.loads(out)]
    assert sorted(applied) == sorted(NAMES), "each once, whoever did it"
    with database.read() as connection:
        assert len(connection.execute(schema_table.select()).all()) == len(STEPS)


@pytest.mark.postgres
def test_first_table_made_by_somebody_else_meanwhile_is_taken(
    postgres_url: str, open_store
) -> None:
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg2:"))
    applied: list[str] = []
    store = open_store(postgres_url)
    late = threading.Thread(target=lambda: applied.extend(store.migrate()))
    with engine.begin() as connection:
        schema_table.create(connection)
        late.start()
        # The other one sees no table, and waits for us to create it.
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while not connection.scalar(text(waiting)):
            time.sleep(0.01)
    late.join()
    engine.dispose()
    assert sorted(applied) == sorted(NAMES), "each once, whoever did it"


def test_driver_errors_of_a_step_are_told_plainly(store_url: str, open_store) -> None:
    open_store(store_url).ensure()

    def twice(connection: Connection) -> None:
        _add_table(connection)
        _add_table(connection)

    broken = (*STEPS, Step(NEWEST + 1, "broken", twice))
    with pytest.raises(DatabaseError, match="already exists"):
        open_store(store_url, steps=broken).ensure()
    assert "codebeamer_later" not in _tables(store_url)
