"""A world in a file outlives its process, however that ends."""

from __future__ import annotations

import concurrent.futures
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_codebeamer.emulator import Emulator, RefusedError, demo_world
from airflow_codebeamer.emulator.app import Application
from airflow_codebeamer.emulator.keeping import KeptWorld
from airflow_codebeamer.emulator.world import World
from tests.emulator.test_invariants import KINDS, NUMBERS, call, do, start
from tests.fuzz.target import target

Ask = Callable[..., requests.Response]
ITEMS = "/trackers/2001/items"


def same(one: dict[str, Any], two: dict[str, Any]) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True)


def test_everything_is_there_after_a_restart(
    tmp_path: Path, asking: Callable[[Emulator], Ask]
) -> None:
    file = tmp_path / "world.jsonl"
    with Emulator(data=file) as server:
        ask = asking(server)
        made = ask("generator", "POST", ITEMS, {"name": "kept"}).json()["id"]
        lock = {"hard": False, "duration": "1:30h"}
        assert ask("alice", "PUT", f"/items/{made}/lock", lock).status_code == 200
        role = server.world()["roles"][1]["id"]
        path = f"/trackers/2001/roles/{role}/permissions"
        ask("bond", "PUT", path, {"permissions": [{"id": 0}]})
        server.advance(1000)
        server.assume(list_empty_roles=True)
        server.act("bond", "DELETE", "/v3/items/10001")
        before = server.world()
    with Emulator(world="empty", data=file) as server:
        assert same(server.world(), before)
        assert server.calls() == []
        answer = asking(server)("bond", "GET", f"/items/{made}/lock").json()
        assert answer["user"]["name"] == "alice"
        # Its own time goes on where it was: the lock has half an hour left.
        server.advance(5000)
        assert not asking(server)("bond", "GET", f"/items/{made}/lock").content


def test_control_is_kept_as_well(
    tmp_path: Path, asking: Callable[[Emulator], Ask]
) -> None:
    file = tmp_path / "world.jsonl"
    with Emulator(data=file) as server:
        asking(server)("generator", "POST", ITEMS, {"name": "gone"})
        server.load_world("empty")
    with Emulator(data=file) as server:
        assert server.world()["items"] == []
        requests.post(f"{server.control_url}/reset", timeout=10)
    with Emulator(data=file) as server:
        assert len(server.world()["items"]) == len(demo_world()["items"])
        moment = {"now": "2030-05-05T05:05:05Z", "stopped": True}
        requests.post(f"{server.control_url}/clock", json=moment, timeout=10)
    with Emulator(data=file) as server:
        clock = requests.get(f"{server.control_url}/clock", timeout=10).json()
        assert clock == {"now": "2030-05-05T05:05:05.000Z", "stopped": True}


@contextmanager
def served(file: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    code = "import sys; from airflow_codebeamer.emulator import serve;"
    with subprocess.Popen(
        [sys.executable, "-c", f"{code} serve(data=sys.argv[1])", str(file)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1], process
        finally:
            process.kill()


def test_a_killed_emulator_loses_nothing_that_it_answered(tmp_path: Path) -> None:
    """Four clients create while the process is killed, three times in a row."""
    file = tmp_path / "world.jsonl"
    answered: dict[str, int] = {}
    sent: set[str] = set()
    chance = random.Random(4)  # noqa: S311

    def create(url: str, number: int) -> None:
        with requests.Session() as session:
            session.auth = ("generator", "generator")
            for turn in range(10_000):
                name = f"{url} {number} {turn}"
                sent.add(name)
                try:
                    answer = session.post(
                        f"{url}/api/v3{ITEMS}", json={"name": name}, timeout=20
                    )
                except requests.ConnectionError:
                    return
                answered[name] = answer.json()["id"]

    for _ in range(3):
        with (
            served(file) as (url, process),
            concurrent.futures.ThreadPoolExecutor(4) as pool,
        ):
            wanted = len(answered) + chance.randint(30, 60)
            for number in range(4):
                pool.submit(create, url, number)
            while len(answered) < wanted:
                time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
    with Emulator(data=file) as server:
        names = {
            item["id"]: item["values"]["3"]
            for item in server.world()["items"]
            if item["tracker"] == 2001
        }
    assert {number: names.get(number) for number in answered.values()} == {
        number: name for name, number in answered.items()
    }
    # Whatever else is there was asked for and not answered, and is there once.
    assert len(set(names.values())) == len(names)
    assert set(names.values()) <= sent


def kept(file: Path, application: Application) -> KeptWorld:
    world = KeptWorld(file, application)
    world.open()
    return world


def test_half_a_line_at_the_end_was_never_answered(tmp_path: Path) -> None:
    file = tmp_path / "world.jsonl"
    application = Application(World.load(demo_world()))
    kept(file, application).close()
    whole = application.world.dump()
    with file.open("ab") as out:
        out.write(b'{"call": {"at": "2026-')
    other = Application(World.load(demo_world()))
    kept(file, other).close()
    assert same(other.world.dump(), whole)


@pytest.mark.parametrize(
    "line", ["nothing", "{}", '{"colour": 1}', '{"world": {"beds": []}}', '{"call":{}}']
)
def test_a_file_that_is_not_ours_is_refused_and_left_alone(
    tmp_path: Path, line: str
) -> None:
    file = tmp_path / "world.jsonl"
    file.write_text(f"{line}\n")
    with pytest.raises(RefusedError, match=r"Line 1 of .*world\.jsonl"):
        Emulator(data=file).__enter__()
    assert file.read_text() == f"{line}\n"


def test_a_call_that_would_be_answered_otherwise_today_is_refused(
    tmp_path: Path, asking: Callable[[Emulator], Ask]
) -> None:
    file = tmp_path / "world.jsonl"
    with served(file) as (url, process):
        requests.delete(f"{url}/api/v3/items/10001", auth=("bond", "bond"), timeout=10)
        process.kill()
    file.write_text(file.read_text().replace('"status": 200', '"status": 403'))
    with pytest.raises(RefusedError, match="was answered 403 and is 200"):
        Emulator(data=file).__enter__()


def test_one_file_belongs_to_one_emulator(tmp_path: Path) -> None:
    file = tmp_path / "world.jsonl"
    with Emulator(data=file) as first:
        first.advance(1)
        with pytest.raises(RefusedError, match="Another emulator keeps its world"):
            Emulator(data=file).__enter__()
        first.advance(1)
    with Emulator(data=file):
        pass


def test_only_its_owner_reads_the_file_and_no_authorization_is_in_it(
    tmp_path: Path,
) -> None:
    file = tmp_path / "world.jsonl"
    with served(file) as (url, process):
        requests.post(
            f"{url}/api/v3{ITEMS}",
            json={"name": "x"},
            auth=("generator", "generator"),
            timeout=10,
        )
        process.kill()
    assert file.stat().st_mode & 0o777 == 0o600
    assert "Basic" not in file.read_text()


@settings(max_examples=25, deadline=None, database=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(KINDS), NUMBERS, NUMBERS, st.integers(0, 5)),
        min_size=1,
        max_size=15,
    )
)
def test_doing_the_calls_again_makes_the_same_world(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int, int]]
) -> None:
    file = tmp_path_factory.mktemp("kept") / "world.jsonl"
    first = start()
    keeper = kept(file, first)
    for step in steps:
        do(first, *call(*step))
    second = Application(World.load(demo_world()))
    copy = file.with_name("copy.jsonl")
    copy.write_bytes(file.read_bytes())
    kept(copy, second).close()
    assert same(second.world.dump(), first.world.dump())
    keeper.close()


def test_a_saved_world_is_loaded_whole_over_http() -> None:
    with target() as server, requests.Session() as session:
        saved = session.get(f"{server.control_url}/world", timeout=20).json()
        for kind in ("comments", "attachments", "associations", "locks", "items"):
            assert saved[kind], kind
        session.post(f"{server.control_url}/reset", timeout=20)
        assert not same(server.world(), saved)
        answer = session.put(f"{server.control_url}/world", json=saved, timeout=20)
        assert answer.status_code == 200
        assert same(
            session.get(f"{server.control_url}/world", timeout=20).json(), saved
        )


def test_the_command_keeps_its_world_and_refuses_what_is_none(tmp_path: Path) -> None:
    file, none = tmp_path / "kept.jsonl", tmp_path / "none.json"
    none.write_text("[")
    command = [sys.executable, "-m", "airflow_codebeamer.cli", "emulator", "serve"]
    with subprocess.Popen(
        [*command, "--data", str(file)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        who = ("generator", "generator")
        requests.post(f"{url}/api/v3{ITEMS}", json={"name": "x"}, auth=who, timeout=20)
        process.kill()
    with Emulator(data=file) as server:
        assert [item["name"] for item in server.items(2001)] == ["x"]
    done = subprocess.run(
        [*command, "--world", str(none)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "A world is JSON" in done.stderr
    assert "Traceback" not in done.stderr
