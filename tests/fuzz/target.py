"""The emulator that is shot at: the demo's world with something of everything."""

from __future__ import annotations

from airflow_codebeamer.emulator import Emulator

__all__ = ["target"]


def target() -> Emulator:
    """Return an emulator, to be started."""
    return Emulator(world="demo")
