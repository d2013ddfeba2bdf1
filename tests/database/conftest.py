"""A way to open several stores in one test, all closed at its end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_codebeamer.database import Database
from airflow_codebeamer.settings import StoreSettings

OpenStore = Callable[..., Database]
Process = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def open_store() -> Iterator[OpenStore]:
    """Return a function from address (and options) to a Database."""
    opened: list[Database] = []

    def build(url: str, *, allow: bool = False, **options: Any) -> Database:
        settings = StoreSettings(url=url, allow_network_share=allow)
        opened.append(Database(settings, **options))
        return opened[-1]

    yield build
    for database in opened:
        database.close()


@pytest.fixture
def process() -> Iterator[Process]:
    """Return a function that runs a program text in another interpreter."""
    running: list[subprocess.Popen[str]] = []

    def start(program: str, *arguments: str) -> subprocess.Popen[str]:
        running.append(
            subprocess.Popen(
                [sys.executable, "-c", program, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return running[-1]

    yield start
    for child in running:
        child.kill()
        child.communicate()
