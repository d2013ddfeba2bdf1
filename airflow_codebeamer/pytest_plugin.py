"""Fixtures for everybody who tests a client of Codebeamer; pytest finds them itself.

Airflow is not imported, and the emulator only when a test asks for it, so that
the plugin costs nothing where nobody uses it.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow_codebeamer.emulator import Emulator

__all__ = [
    "codebeamer_emulator",
    "codebeamer_options",
    "codebeamer_url",
    "codebeamer_world",
]


@pytest.fixture
def codebeamer_world() -> str | dict[str, Any]:
    """Return the world to start with; give the fixture of this name another one."""
    return "demo"


@pytest.fixture
def codebeamer_options() -> dict[str, Any]:
    """Return what else `Emulator` is told, such as a throttle; yours to replace."""
    return {}


@pytest.fixture
def codebeamer_emulator(
    codebeamer_world: str | dict[str, Any], codebeamer_options: dict[str, Any]
) -> Iterator[Emulator]:
    """Yield a running emulator of this test's own.

    A fault that no call has met when the test ends is an error: the test did
    not test what it says.
    """
    try:
        room = importlib.import_module("airflow_codebeamer.emulator")
    except ModuleNotFoundError as error:
        raise pytest.UsageError(
            f"{error.name} is missing: "
            "pip install 'airflow-provider-codebeamer[emulator]'"
        ) from error
    with room.Emulator(world=codebeamer_world, **codebeamer_options) as server:
        yield server


@pytest.fixture
def codebeamer_url(codebeamer_emulator: Emulator) -> str:
    """Return the base address, as a client would be told for a real server."""
    return codebeamer_emulator.url
