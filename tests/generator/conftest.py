"""A server, and the engines on a store of our own, quick enough for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from airflow_codebeamer.emulator import Emulator
from airflow_codebeamer.settings import (
    LockSettings,
    ServerSettings,
    Settings,
    StoreSettings,
)
from airflow_codebeamer.wiring import Codebeamer, connect

Connect = Callable[[], Codebeamer]


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
        lock=LockSettings(
            ttl=timedelta(seconds=10),
            beat=timedelta(seconds=1),
            margin=timedelta(seconds=1),
            lock_delay=timedelta(seconds=0.1),
            poll=timedelta(seconds=0.05),
        ),
    )


@pytest.fixture
def open_codebeamer(settings: Settings) -> Iterator[Connect]:
    """Return a function that opens the engines as another process would."""
    with ExitStack() as opened:
        yield lambda: opened.enter_context(connect(settings))


@pytest.fixture
def codebeamer(open_codebeamer: Connect) -> Codebeamer:
    return open_codebeamer()
