"""What must be in the tracker, read from the CAN database without our generator.

The demonstration does not believe the engine that it shows: this module reads
the file on its own, and compares with what the emulator holds in the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from airflow_codebeamer.errors import ConfigurationError, DocumentError

__all__ = ["Expectation", "dbc_path", "differences", "read_expectation"]

_DEFAULT_DBC = "vw_mqb.dbc"


@dataclass(frozen=True)
class Expectation:
    """The frames of a CAN database in order, each with its signals in order."""

    frames: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def signals(self) -> int:
        """How many signals there are."""
        return sum(len(signals) for _, signals in self.frames)

    @property
    def items(self) -> int:
        """How many items the tracker must hold: a folder per frame, and the signals."""
        return len(self.frames) + self.signals


def dbc_path(dbc: str | None) -> Path:
    """Return the file to show: the one given, else one of the package `opendbc`.

    Raises:
        ConfigurationError: there is no such file, or no package to take one from.
    """
    if dbc is not None:
        path = Path(dbc).expanduser()
        if not path.is_file():
            raise ConfigurationError("dbc", f"there is no file {dbc}; give a DBC file")
        return path.resolve()
    if find_spec("opendbc") is None:
        raise ConfigurationError(
            "dbc",
            "the package opendbc, which has CAN databases for Python 3.11 and 3.12, "
            "is not installed here; give the path of any DBC file: demo --dbc FILE",
        )
    return Path(str(files("opendbc"))) / "dbc" / _DEFAULT_DBC


def read_expectation(path: Path) -> Expectation:
    """Return what the file says.

    Raises:
        ConfigurationError: cantools is not installed.
        DocumentError: the file is no CAN database.
    """
    try:
        import cantools
    except ImportError as error:
        raise ConfigurationError(
            "demo", "install the extra: pip install airflow-provider-codebeamer[demo]"
        ) from error
    try:
        database: Any = cantools.database.load_file(
            path, database_format="dbc", strict=False
        )
    except (cantools.Error, UnicodeError, ValueError) as error:
        raise DocumentError(str(path), f"not a readable DBC file: {error}") from error
    return Expectation(
        tuple(
            (frame.name, tuple(signal.name for signal in frame.signals))
            for frame in database.messages
        )
    )


def differences(
    wanted: Expectation, items: Sequence[Mapping[str, Any]], key_of: Mapping[int, str]
) -> list[str]:
    """Compare a tracker's items, in outline order, with the file; a line each.

    `key_of` holds every item's external key: two items with one key are a
    duplicate, however they are called.
    """
    found: list[str] = []
    if len(items) != wanted.items:
        found.append(f"{len(items)} items instead of {wanted.items}")
    repeated = [key for key, count in Counter(key_of.values()).items() if count > 1]
    found += [f"the key {key} twice" for key in repeated]
    found += [f"no key on {item['name']}" for item in items if item["id"] not in key_of]
    children: dict[int | None, list[Mapping[str, Any]]] = {}
    for item in items:
        children.setdefault((item.get("parent") or {}).get("id"), []).append(item)
    folders = children.get(None, [])
    # A folder is called by the frame's number and name.
    names = [str(folder["name"]).rpartition(" ")[2] for folder in folders]
    if names != [name for name, _ in wanted.frames]:
        found.append("the folders are not the frames, or in another order")
    for folder, (name, signals) in zip(folders, wanted.frames, strict=False):
        below = [str(item["name"]) for item in children.get(folder["id"], [])]
        if below != list(signals):
            found.append(f"below {name} are not its signals, or in another order")
    return found
