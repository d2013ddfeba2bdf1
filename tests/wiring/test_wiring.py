from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr

from airflow_codebeamer.clock import ManualClock
from airflow_codebeamer.emulator import DEMO_TRACKER_ID, Emulator
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import LockState, Owner
from airflow_codebeamer.settings import ServerSettings, Settings, StoreSettings
from airflow_codebeamer.wiring import connect, open_store

TRACKER = TrackerId(DEMO_TRACKER_ID)


@pytest.fixture
def server() -> Iterator[Emulator]:
    with Emulator(world="demo") as emulator:
        yield emulator


@pytest.fixture
def settings(server: Emulator, tmp_path: Path) -> Settings:
    return Settings(
        server=ServerSettings(
            url=server.url,
            login="generator",
            password=SecretStr("generator"),
            requests_per_second=None,
            requests_per_minute=None,
            exclusive_role="Generator",
        ),
        store=StoreSettings(url=SecretStr(f"sqlite:///{tmp_path / 'locks.db'}")),
    )


def test_nothing_is_dialled_or_opened_before_it_is_used(
    server: Emulator, settings: Settings, tmp_path: Path
) -> None:
    with connect(settings) as codebeamer:
        assert codebeamer.runner is codebeamer.runner
        assert codebeamer.engine is codebeamer.engine
        assert codebeamer.recovery is codebeamer.recovery
        assert codebeamer.status is codebeamer.status
        assert codebeamer.runner_with(None) is not codebeamer.runner
    assert server.calls() == []
    assert not (tmp_path / "locks.db").exists()


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Let threads take turns so often that they meet inside of anything."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_threads")
def test_all_threads_get_the_same_parts(settings: Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        for _ in range(30):
            with connect(settings) as codebeamer:
                ask = partial(getattr, codebeamer, "engine")
                found = [pool.submit(ask) for _ in range(8)]
                assert len({id(one.result()) for one in found}) == 1


def test_the_engine_has_the_role_and_says_its_steps(
    server: Emulator, settings: Settings
) -> None:
    before = server.permissions(DEMO_TRACKER_ID)
    said: list[str] = []
    with connect(settings, say=said.append) as codebeamer:
        codebeamer.engine.acquire(TRACKER, owner=Owner("me"))
        assert server.permissions(DEMO_TRACKER_ID) != before
        assert codebeamer.engine.release(TRACKER, owner_key="me").released
    assert server.permissions(DEMO_TRACKER_ID) == before
    assert said


def test_a_clock_is_everybodys_clock(settings: Settings) -> None:
    clock = ManualClock(datetime(2031, 5, 6, tzinfo=UTC))
    with connect(settings, clock=clock) as codebeamer:
        lock = codebeamer.engine.acquire(TRACKER, owner=Owner("me"))
    assert lock.acquired_at == clock.now()


def test_a_store_can_be_looked_at_without_a_server(settings: Settings) -> None:
    with connect(settings) as codebeamer:
        codebeamer.engine.acquire(TRACKER, owner=Owner("me"))
    with open_store(settings.store) as store:
        lock = store.status.find(settings.server.base, TRACKER)
        assert lock is not None
        assert lock.state is LockState.HELD
        assert store.database.check()


def test_it_can_be_used_again_after_it_was_closed(settings: Settings) -> None:
    codebeamer = connect(settings)
    for _ in range(2):
        with codebeamer:
            assert codebeamer.client.users.find_user("generator") is not None
            assert codebeamer.status.list_locks() == []
