"""Programs that write to Codebeamer themselves, under our lock."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer.emulator import DEMO_TRACKER_ID, Emulator
from airflow_codebeamer.errors import (
    ConfigurationError,
    GeneratorFailedError,
    GeneratorStoppedError,
    LockLostError,
)
from airflow_codebeamer.generator import Program, RunSummary
from airflow_codebeamer.ids import RunId, TrackerId
from airflow_codebeamer.journal import RunState
from airflow_codebeamer.locking import Lock, Owner
from airflow_codebeamer.settings import Settings
from airflow_codebeamer.wiring import Codebeamer, connect
from tests.generator.speak import SERVER, SPEAK

TRACKER = TrackerId(DEMO_TRACKER_ID)

#: Changes something of each kind: new items below new and old ones, a name, a
#: description, a place, an order, and one item that goes to the trash.
EVERYTHING = """
old = {one["name"]: one["id"] for one in items()}
top = create("New top")
create("New below new", top)
create("New below old", old["Folder"])
rename(old["One"], "Renamed")
ask("PATCH", f"/items/{top}/children?mode=INSERT",
    {"index": 0, "itemReference": {"id": old["Two"], "type": "TrackerItemReference"}})
order = [one["id"] for one in items() if one["name"] in ("A", "B", "C")]
ask("PUT", f"/items/{old['Order']}/children", {"children": [
    {"id": one, "type": "TrackerItemReference"} for one in reversed(order)]})
"""


@pytest.fixture
def lock(codebeamer: Codebeamer, server: Emulator) -> Lock:
    fill(codebeamer)
    lock = codebeamer.engine.acquire(TRACKER, owner=Owner("dag/run"), reason="test")
    server.clear_calls()
    return lock


def fill(codebeamer: Codebeamer) -> None:
    """Put items there that are not the program's."""

    def before() -> Any:
        yield {"key": "f", "name": "Folder", "type": "Folder"}
        yield {"key": "1", "name": "One", "parent": "f", "fields": {"Unit": "bar"}}
        yield {"key": "2", "name": "Two", "parent": "f", "description": "text"}
        yield {"key": "o", "name": "Order", "type": "Folder"}
        for name in "ABC":
            yield {"key": name, "name": name, "parent": "o"}

    lock = codebeamer.engine.acquire(TRACKER, owner=Owner("before"))
    codebeamer.runner.apply(before, {}, TRACKER, lock, run_key="before")
    codebeamer.engine.release(TRACKER, owner_key="before")


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., Program]:
    def make(text: str, **more: Any) -> Program:
        path = tmp_path / "delegate.py"
        path.write_text(SPEAK + SERVER + text)
        more.setdefault("grace", timedelta(seconds=5))
        command = (sys.executable, "-S", str(path))
        return Program(command=command, kind="delegate", name="exporter", **more)

    return make


def run(codebeamer: Codebeamer, lock: Lock, program: Program) -> RunSummary:
    return codebeamer.runner.apply(program, {}, TRACKER, lock, run_key="dag/run")


def standing(server: Emulator) -> list[Any]:
    """What stands in the tracker, but for what no undoing can put back."""
    kept = ("id", "name", "description", "parent", "children", "customFields")
    return [{name: item.get(name) for name in kept} for item in everything(server)]


def everything(server: Emulator) -> list[dict[str, Any]]:
    return sorted(server.items(DEMO_TRACKER_ID), key=lambda item: item["id"])


def test_what_it_did_is_counted_and_told(
    server: Emulator,
    codebeamer: Codebeamer,
    lock: Lock,
    program: Callable[..., Program],
) -> None:
    text = f'{EVERYTHING}\nask("DELETE", f"/items/{{order[1]}}")\nsay("result")'
    summary = run(codebeamer, lock, program(text))
    assert (summary.created, summary.updated, summary.moved) == (3, 1, 1)
    assert summary.pruned == 1
    assert any("in the trash" in line for line in summary.warnings)
    assert summary.requests == sum(c["user"] == "generator" for c in server.calls())
    found = codebeamer.runs.find_run(RunId(summary.run_id))
    assert found is not None
    assert found.state is RunState.DONE
    with pytest.raises(ConfigurationError, match="came later"):
        codebeamer.runner.roll_back(found, lock)


def test_it_has_no_plan(codebeamer: Codebeamer, program: Any) -> None:
    assert codebeamer.runner.writes_itself(program(""))
    with pytest.raises(ConfigurationError, match="there is no plan"):
        codebeamer.runner.plan(program(""), {}, TRACKER)


@pytest.mark.parametrize("access", ["relay", "direct"])
def test_a_failed_one_leaves_the_tracker_as_it_was(
    server: Emulator,
    codebeamer: Codebeamer,
    lock: Lock,
    program: Callable[..., Program],
    access: str,
) -> None:
    before = standing(server)
    with pytest.raises(GeneratorFailedError, match="exit code 3") as caught:
        run(codebeamer, lock, program(EVERYTHING + "sys.exit(3)", access=access))
    assert standing(server) == before
    assert any("nothing is left of it" in note for note in caught.value.__notes__)
    assert codebeamer.runs.list_open(codebeamer.settings.server.base, TRACKER) == []


def test_what_cannot_be_put_back_is_listed_item_by_item(
    codebeamer: Codebeamer, lock: Lock, program: Callable[..., Program]
) -> None:
    text = EVERYTHING + 'ask("DELETE", f"/items/{order[1]}")\nsys.exit(65)'
    with pytest.raises(GeneratorFailedError) as caught:
        run(codebeamer, lock, program(text))
    (note,) = caught.value.__notes__
    assert "1 could not be undone" in note
    assert "('B') is in the trash" in note


def test_what_it_wrote_may_stay(
    server: Emulator,
    codebeamer: Codebeamer,
    lock: Lock,
    program: Callable[..., Program],
) -> None:
    text = 'create("Stays")\nsys.exit(65)'
    with pytest.raises(GeneratorFailedError):
        run(codebeamer, lock, program(text, on_failure="keep"))
    assert "Stays" in [item["name"] for item in everything(server)]
    assert codebeamer.engine.release(TRACKER, owner_key="dag/run").undone == ()


def test_the_account_s_password_never_reaches_it(
    codebeamer: Codebeamer,
    lock: Lock,
    program: Callable[..., Program],
    tmp_path: Path,
) -> None:
    out = tmp_path / "told.json"
    text = f"""
names = [n for n in os.environ if n.startswith("CB_")]
files = {{n: open(os.environ[n]).read() for n in names if n.endswith("_FILE")}}
modes = [oct(os.stat(os.environ[n]).st_mode & 0o777) for n in files]
with open({str(out)!r}, "w") as file:
    json.dump([dict(os.environ), sys.argv, files, modes], file)
say("result")
"""
    run(codebeamer, lock, program(text))
    env, argv, files, modes = json.loads(out.read_text())
    password = files["CB_PASSWORD_FILE"]
    assert modes == ["0o600"]
    assert password != "generator"
    assert env["CB_URL"].startswith("http://127.0.0.1:")
    assert env["CB_RATE"] == '{"per_second": null, "per_minute": null}'
    assert password not in json.dumps([env, argv])
    run(codebeamer, lock, program(text, access="direct"))
    env, argv, files, modes = json.loads(out.read_text())
    assert files == {"CB_PASSWORD_FILE": "generator"}
    assert modes == ["0o600"]
    assert env["CB_URL"] == codebeamer.settings.server.base


def test_the_relay_lets_nobody_else_in_and_shows_nothing_else(
    server: Emulator,
    codebeamer: Codebeamer,
    lock: Lock,
    program: Callable[..., Program],
) -> None:
    text = """
def status(path, login="generator", password=None):
    password = password or open(os.environ["CB_PASSWORD_FILE"]).read()
    pair = base64.b64encode(f"{login}:{password}".encode()).decode()
    request = urllib.request.Request(os.environ["CB_URL"] + path,
        headers={"Authorization": "Basic " + pair})
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code
say("result", counts={
    "mine": status("/api/v3/projects"),
    "wrong": status("/api/v3/projects", password="generator"),
    "other": status("/emulator/calls"),
    "missing": status("/api/v3/items/999999"),
})
"""
    said: list[str] = []
    with connect(codebeamer.settings, say=said.append) as other:
        other.runner.apply(
            program(
                text.replace('say("result", counts=', "print(")[:-2]
                + ")\n"
                + 'say("result")'
            ),
            {},
            TRACKER,
            lock,
            run_key="dag/run",
        )
    (line,) = [line for line in said if "mine" in line]
    assert "{'mine': 200, 'wrong': 401, 'other': 404, 'missing': 404}" in line


def test_its_rate_is_ours(
    server: Emulator, settings: Settings, program: Callable[..., Program]
) -> None:
    slow = settings.model_copy(
        update={
            "server": settings.server.model_copy(update={"requests_per_second": 10.0})
        }
    )
    text = 'for n in range(25):\n    items()\nsay("result")'
    with connect(slow) as codebeamer:
        lock = codebeamer.engine.acquire(TRACKER, owner=Owner("dag/run"))
        started = time.monotonic()
        summary = run(codebeamer, lock, program(text))
        assert time.monotonic() - started >= 2.0
        # The schema, and twice: items, baselines, what we changed elsewhere.
        assert summary.requests == 25 + 1 + 2 * 3


def test_a_lost_lock_ends_it_and_nothing_more_is_written(
    server: Emulator,
    codebeamer: Codebeamer,
    lock: Lock,
    program: Callable[..., Program],
    open_codebeamer: Callable[[], Codebeamer],
) -> None:
    before = standing(server)
    other = open_codebeamer()
    text = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for number in range(100_000):
    try:
        create(f"Item {number}")
    except urllib.error.HTTPError:
        pass
"""

    def break_it() -> None:
        while len(server.items(DEMO_TRACKER_ID)) < len(before) + 3:
            time.sleep(0.02)
        seen = other.status.find(lock.server, TRACKER)
        assert seen is not None
        other.engine.parts.store.set_breaking(seen, by="boss", reason="test")

    breaker = threading.Thread(target=break_it)
    breaker.start()
    with pytest.raises(LockLostError):
        run(codebeamer, lock, program(text, grace=timedelta(seconds=1)))
    breaker.join()
    written = len(server.items(DEMO_TRACKER_ID))
    report = other.engine.break_lock(
        TRACKER, expect_epoch=lock.epoch, by="boss", reason="test"
    )
    assert report.released
    assert len(report.undone) == written - len(before)
    assert standing(server) == before


def test_a_task_that_is_told_to_stop_ends_it_and_puts_back(
    server: Emulator,
    codebeamer: Codebeamer,
    lock: Lock,
    program: Callable[..., Program],
) -> None:
    before = standing(server)
    stop = threading.Event()

    def stop_it() -> None:
        while len(server.items(DEMO_TRACKER_ID)) == len(before):
            time.sleep(0.02)
        stop.set()

    threading.Thread(target=stop_it, daemon=True).start()
    runner = codebeamer.runner_with(None, stop)
    with pytest.raises(GeneratorStoppedError, match="told to stop"):
        runner.apply(
            program('create("New")\ntime.sleep(600)'),
            {},
            TRACKER,
            lock,
            run_key="dag/run",
        )
    assert standing(server) == before
    codebeamer.engine.guard(lock)  # it is for the teardown to release


WORKER = """
import json, sys
from datetime import timedelta
from airflow_codebeamer.generator import Program
from airflow_codebeamer.locking import Owner
from airflow_codebeamer.settings import LockSettings, ServerSettings, Settings
from airflow_codebeamer.settings import StoreSettings
from airflow_codebeamer.wiring import connect
url, store, command = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
server = ServerSettings(url=url, login="generator", password="generator",
    requests_per_second=None, requests_per_minute=None, exclusive_role="Generator")
times = LockSettings(ttl=timedelta(seconds=10), beat=timedelta(seconds=1),
    margin=timedelta(seconds=1), lock_delay=timedelta(seconds=0.1))
with connect(Settings(server=server, store=StoreSettings(url=store), lock=times)) as cb:
    lock = cb.engine.acquire(2001, owner=Owner("dead/run"))
    program = Program(command=command, kind="delegate", grace=1)
    cb.runner.apply(program, {}, 2001, lock, run_key="dead/run")
"""


def test_a_killed_worker_s_program_writes_no_more_and_is_undone(
    server: Emulator,
    settings: Settings,
    codebeamer: Codebeamer,
    program: Callable[..., Program],
) -> None:
    fill(codebeamer)
    before, rights = standing(server), server.permissions(DEMO_TRACKER_ID)
    text = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True:
    try:
        create("From a program without a master")
    except OSError:
        pass
"""
    command = json.dumps(program(text).command)
    store = settings.store.url.get_secret_value()
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, server.url, store, command],
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    wait_until(lambda: len(server.items(DEMO_TRACKER_ID)) > len(before) + 3)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    # Its program has no way to the server from this moment on.
    wait_until(lambda: is_quiet(server))
    report = codebeamer.engine.release(TRACKER, owner_key="dead/run")
    assert report.released
    assert len(report.undone) > 3
    assert standing(server) == before
    assert server.permissions(DEMO_TRACKER_ID) == rights


def is_quiet(server: Emulator) -> bool:
    before = len(server.items(DEMO_TRACKER_ID))
    time.sleep(0.3)
    return len(server.items(DEMO_TRACKER_ID)) == before


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.02)
