"""Writes down a store as a release leaves it, with locks in every half-done state.

Run it with the code of the release, before the next step of the tables is opened:

    python -m tests.database.recording 0002

What it writes is never changed again; `test_released.py` migrates each of them.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import MetaData, create_engine, select

from airflow_codebeamer.emulator import Emulator, WorldBuilder
from airflow_codebeamer.errors import CodebeamerError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Owner
from airflow_codebeamer.settings import (
    LockSettings,
    ServerSettings,
    Settings,
    StoreSettings,
)
from airflow_codebeamer.skeleton import load_document
from airflow_codebeamer.wiring import Codebeamer, connect

FOLDER = Path(__file__).parent / "released"
SERVER = "http://recorded.example.com/cb"

#: Trackers, by what was going on there.
OVER, HELD, RESTORING, LOCKING = (TrackerId(2001 + number) for number in range(4))
OWNER = "recorded/run"
DOCUMENT = """
owner: recorded
target: {tracker: 2002}
items:
  - key: a
    name: A
    children: [{key: b, name: B}, {key: c, name: C}]
"""
PUT = "updatePermission"
MONTH_SECONDS = 30 * 86_400.0
#: Nothing is under way any more, and nobody need wait for it.
QUICK = LockSettings(lock_delay=timedelta(milliseconds=200))


def world() -> dict[str, Any]:
    """Return four trackers that two roles write."""
    build = WorldBuilder()
    generator = build.user("generator")
    project = build.project("Brakes", "BRK")
    writers = [build.role(project, name) for name in ("Developer", "Tester")]
    ours = build.role(project, "Generator", trackers_admin=True)
    build.member(project, generator, ours)
    for key in ("OVER", "HELD", "RESTORING", "LOCKING"):
        rights = {writer: [0, 1, 2, 3, 4, 7, 8, 10, 11] for writer in writers}
        rights[ours] = list(range(24))
        tracker = build.tracker(project, key, key, permissions=rights)
        build.item(tracker, "There before")
    return build.build()


def open_at(server: Emulator, store: str, **more: Any) -> Codebeamer:
    """Return the engines on a server and a store."""
    return connect(
        Settings(
            server=ServerSettings(
                url=server.url,
                login="generator",
                password=SecretStr("generator"),
                requests_per_second=None,
                requests_per_minute=None,
                exclusive_role="Generator",
            ),
            store=StoreSettings(url=SecretStr(store)),
            lock=QUICK,
        ),
        **more,
    )


def play(server: Emulator, store: str) -> None:
    """Leave every half-done state behind."""
    owner = Owner(OWNER, run="recorded run")
    with open_at(server, store) as codebeamer:
        engine = codebeamer.engine
        for _ in range(2):
            engine.acquire(OVER, owner=owner, reason="all went well")
            engine.release(OVER, owner_key=OWNER)
        engine.acquire(HELD, owner=owner)
        engine.acquire(RESTORING, owner=owner)
        server.add_fault({"kind": "status", "status": 403, "operation": PUT, "nth": 2})
        fails(lambda: engine.release(RESTORING, owner_key=OWNER))
        server.clear_faults()
        for nth in (2, 3, 4):
            server.add_fault({"kind": "reset", "operation": PUT, "nth": nth})
        fails(lambda: engine.acquire(LOCKING, owner=owner))
        server.clear_faults()
    child = os.fork()
    if not child:
        die_in_a_run(server, store, owner)
    os.waitpid(child, 0)


def die_in_a_run(server: Emulator, store: str, owner: Owner) -> None:
    """Write some items under the lock, and be gone."""

    def progress(done: Any) -> None:
        if done.done >= 2:
            os._exit(9)

    codebeamer = open_at(server, store, progress=progress)
    lock = codebeamer.engine.acquire(HELD, owner=owner)
    codebeamer.runner.apply(load_document(DOCUMENT), {}, HELD, lock, run_key="r")
    os._exit(1)


def fails(act: Callable[[], object]) -> None:
    """Do what must go wrong."""
    try:
        act()
    except CodebeamerError:
        return
    raise AssertionError("it should have gone wrong")


def rows(store: str, version: int) -> dict[str, list[dict[str, Any]]]:
    """Return every row of the store as it is on the disk."""
    engine = create_engine(store)
    known = MetaData()
    known.reflect(engine)
    found: dict[str, list[dict[str, Any]]] = {}
    with engine.connect() as connection:
        for table in known.sorted_tables:
            listed = connection.execute(select(table)).mappings().all()
            found[table.name] = [aged(row) for row in listed]
    engine.dispose()
    # The machine is whichever migrates it, and a later step was not taken yet.
    found["codebeamer_host"] = []
    found["codebeamer_schema"] = [
        row for row in found["codebeamer_schema"] if row["version"] <= version
    ]
    return found


def aged(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as if it were a month old, with every lease long over."""
    return {
        name: value - MONTH_SECONDS if isinstance(value, float) else value
        for name, value in row.items()
    }


def record(name: str) -> None:
    """Write the file of a release."""
    before = world()
    with tempfile.TemporaryDirectory() as folder, Emulator(world=before) as server:
        store = f"sqlite:///{folder}/store.db"
        play(server, store)
        told = {
            "before": before,
            "world": server.world(),
            "rows": rows(store, int(name)),
        }
        text = json.dumps(told, sort_keys=True).replace(server.url, SERVER)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(f"{text}\n")


if __name__ == "__main__":
    record(sys.argv[1])
