"""Reading DBC files: the frames of a CAN database, and a key for each thing in it."""

from __future__ import annotations

from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

from airflow_codebeamer.errors import ConfigurationError, DocumentError

__all__ = ["frames", "key_of"]


def frames(dbc: str) -> list[Any]:
    """Return the frames of a DBC file, given by path or by its name in opendbc."""
    import cantools  # only who runs this generator needs it

    path = _find(dbc)
    try:
        found: Any = cantools.database.load_file(
            path, database_format="dbc", strict=False
        )
    except Exception as error:  # the parser raises whatever it stumbles over
        reason = " ".join(str(error).split())
        raise DocumentError(dbc, f"not a readable DBC file: {reason}") from error
    return list(found.messages)


def key_of(thing: Any, taken: set[str], folder: str = "") -> str:
    """Return a frame's key, or a signal's below its folder: another on each call."""
    key, otherwise = f"{folder}/{thing.name}", str(getattr(thing, "start", ""))
    if not folder:
        # The trailing x marks an extended id, which is another id than the short one.
        key = f"0x{thing.frame_id:03X}{'x' if thing.is_extended_frame else ''}"
        otherwise = thing.name
    while key in taken:
        key = f"{key}~{otherwise}"
    taken.add(key)
    return key


def _find(dbc: str) -> Path:
    path = Path(dbc).expanduser()
    if path.is_file():
        return path
    why = "and the package opendbc (Python 3.11 or 3.12), which has some, is missing"
    with suppress(ModuleNotFoundError):
        path = Path(str(files("opendbc"))) / "dbc" / dbc
        if path.is_file() and Path(dbc).name == dbc:
            return path
        why = "neither here nor in the package opendbc"
    raise ConfigurationError(
        "dbc", f"no file {dbc!r}, {why}; give the path of a DBC file"
    )
