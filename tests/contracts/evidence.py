"""Evidence: each test says in one marker what it rests on, and has it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.contracts.recording import EditedError, read

__all__ = ["RESTS_ON", "problems", "recording_of"]

RESTS_ON = ("verified", "documented", "assumed", "emulator_only")


def recording_of(item: pytest.Item, folder: Path) -> Path:
    """Return where the recording of a test is, or would be."""
    name = item.name.replace("[", "-").replace("]", "")
    return folder / f"{item.path.stem}.{name}.json"


def problems(items: Iterable[pytest.Item], folder: Path) -> list[str]:
    """Return what is wrong with the tests' markers and with the recordings."""
    wrong = []
    for item in items:
        said = [name for name in RESTS_ON if item.get_closest_marker(name)]
        if len(said) != 1:
            marked = " and ".join(said) or "nothing"
            wrong.append(f"{item.nodeid} rests on {marked}; say one of {RESTS_ON}")
        elif said == ["verified"] and not recording_of(item, folder).exists():
            wrong.append(f"{item.nodeid} is verified and has no recording")
    for file in sorted(folder.glob("*.json")):
        try:
            read(file)
        except EditedError as error:
            wrong.append(str(error))
    return wrong
