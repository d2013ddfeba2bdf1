"""A store as each release left it, with locks in every state, is migrated and used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import pytest
from sqlalchemy import MetaData, create_engine, text
from sqlalchemy.engine import make_url

from airflow_codebeamer.database import STEPS, Database
from airflow_codebeamer.emulator import Emulator
from airflow_codebeamer.locking import LockState, Owner
from airflow_codebeamer.settings import StoreSettings
from airflow_codebeamer.wiring import Codebeamer
from tests.database.recording import (
    FOLDER,
    HELD,
    LOCKING,
    OVER,
    OWNER,
    RESTORING,
    SERVER,
    open_at,
)

RELEASED = sorted(
    {
        file.name.split(".")[0]
        for file in (files("airflow_codebeamer.database") / "released").iterdir()
        if file.name.endswith(".sql")
    }
)


@dataclass
class Old:
    """An old store, the server of its time, and how both were before."""

    server: Emulator
    store: str
    told: dict[str, Any]
    before: dict[int, str]

    def open(self) -> Codebeamer:
        return open_at(self.server, self.store)

    def permissions(self) -> dict[int, str]:
        numbers = (OVER, HELD, RESTORING, LOCKING)
        return {number: self.server.permissions(number) for number in numbers}


@pytest.fixture(params=RELEASED)
def old(request: pytest.FixtureRequest, store_url: str) -> Iterator[Old]:
    """Put a store up as that release left it; the tables are made by its own SQL."""
    version = int(request.param)
    recorded = (FOLDER / f"{request.param}.json").read_text()
    with Emulator(world=json.loads(recorded)["before"]) as server:
        told = json.loads(recorded.replace(SERVER, server.url))
        made = Database(StoreSettings(url=store_url), steps=STEPS[:version])
        made.ensure()
        made.close()
        fill(store_url, told["rows"])
        numbers = (OVER, HELD, RESTORING, LOCKING)
        before = {number: server.permissions(number) for number in numbers}
        server.load_world(told["world"])
        yield Old(server, store_url, told, before)


def fill(url: str, rows: dict[str, list[dict[str, Any]]]) -> None:
    """Write the recorded rows, and let numbers go on above them."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg2:"))
    known = MetaData()
    known.reflect(engine)
    assert set(rows) == set(known.tables)
    is_postgres = make_url(url).get_backend_name() == "postgresql"
    with engine.begin() as connection:
        for table in known.sorted_tables:
            connection.execute(table.delete())
            if rows[table.name]:
                connection.execute(table.insert(), rows[table.name])
            if is_postgres and "number" in table.columns:
                last = f"(SELECT coalesce(max(number), 1) FROM {table.name})"
                numbers = f"pg_get_serial_sequence('{table.name}', 'number')"
                connection.execute(text(f"SELECT setval({numbers}, {last})"))
    engine.dispose()


def test_each_release_has_its_recorded_store() -> None:
    assert RELEASED
    recorded = {file.stem for file in FOLDER.glob("*.json")}
    assert recorded == set(RELEASED), "see tests/database/recording.py"


def test_an_old_store_is_migrated_and_its_locks_are_finished(old: Old) -> None:
    with old.open() as codebeamer:
        names = codebeamer.database.migrate()
        assert len(names) == len(STEPS) - int(
            old.told["rows"]["codebeamer_schema"][-1]["version"]
        )
        assert len(names) < len(STEPS)
        status, engine = codebeamer.status, codebeamer.engine
        found = {lock.tracker_id: lock.state for lock in status.list_locks()}
        assert found == {
            HELD: LockState.HELD,
            RESTORING: LockState.RESTORING,
            LOCKING: LockState.LOCKING,
        }
        told = [
            e for e in old.told["rows"]["codebeamer_event"] if e["tracker_id"] == OVER
        ]
        kinds = [event.kind for event in status.history(old.server.url, OVER)]
        assert kinds == [event["kind"] for event in told]

        released = engine.release(HELD, owner_key=OWNER)
        assert released.released
        assert len(released.undone) == 2
        assert released.not_undone == ()
        assert [item["name"] for item in old.server.items(HELD)] == ["There before"]

        recovered = codebeamer.recovery.recover()
        assert {one.tracker_id: one.action for one in recovered} == {
            RESTORING: "recovered",
            LOCKING: "recovered",
        }
        assert old.permissions() == old.before

        for number in (OVER, HELD, RESTORING, LOCKING):
            was = next(
                row["epoch"]
                for row in old.told["rows"]["codebeamer_lock"]
                if row["tracker_id"] == number
            )
            lock = engine.acquire(number, owner=Owner("newer"))
            assert lock.epoch > was
            assert engine.release(number, owner_key="newer").released
        assert old.permissions() == old.before


def test_an_old_store_is_finished_by_the_same_owner(old: Old) -> None:
    """The retry of a task that was there before the upgrade."""
    with old.open() as codebeamer:
        for number in (RESTORING, LOCKING, HELD):
            lock = codebeamer.engine.acquire(number, owner=Owner(OWNER))
            assert lock.state is LockState.HELD
            assert codebeamer.engine.release(number, owner_key=OWNER).released
        assert old.permissions() == old.before
