"""Requirements from a CAN database (DBC): the example of how to write a generator.

A generator is a function that yields items. It reads what it was given, never
talks to Codebeamer, and yields the same keys for the same things on each run:
creating, updating, ordering and undoing is not its business. Run it as
`airflow_codebeamer.generators.can:requirements`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

from airflow_codebeamer.errors import ConfigurationError, DocumentError
from airflow_codebeamer.generator import GeneratedItem

__all__ = ["FRAME_FIELDS", "SIGNAL_FIELDS", "requirements"]

#: What cantools knows of a frame, and the tracker's field that takes it.
FRAME_FIELDS: Mapping[str, str] = {"cycle_time": "Cycle Time"}

#: The same for a signal.
SIGNAL_FIELDS: Mapping[str, str] = {
    "unit": "Unit",
    "scale": "Factor",
    "offset": "Offset",
    "minimum": "Minimum",
    "maximum": "Maximum",
    "start": "Start Bit",
    "length": "Length",
    "byte_order": "Byte Order",
    "is_signed": "Signed",
    "receivers": "Receivers",
}


def requirements(
    dbc: str = "vw_mqb.dbc",
    prefix: str = "can:",
    frame_fields: Mapping[str, str] = FRAME_FIELDS,
    signal_fields: Mapping[str, str] = SIGNAL_FIELDS,
) -> Iterator[GeneratedItem]:
    """Yield a folder for each frame and below it a requirement for each signal.

    `dbc` is the path of a DBC file, or the name of one in the package
    `opendbc`. `prefix` begins every key. The two mappings say which field of
    the tracker takes what; a field that is left out is not written.

    Raises:
        ConfigurationError: there is no such file.
        DocumentError: the file is there and is no DBC.
    """
    taken: set[str] = set()
    for frame in _load(dbc).messages:
        # The trailing x marks an extended id, which is another id than the short one.
        number = f"0x{frame.frame_id:03X}{'x' if frame.is_extended_frame else ''}"
        folder = _unique(f"{prefix}{number}", frame.name, taken)
        text = f"The CAN frame {frame.name} ({number}) has {frame.length} bytes."
        yield {
            "key": folder,
            "name": f"{number} {frame.name}",
            "type": "Folder",
            "description": f"{text} {frame.comment or ''}".strip(),
            "fields": _values(frame, frame_fields),
        }
        for signal in frame.signals:
            text = f"The frame {frame.name} shall carry the signal {signal.name}."
            yield {
                "key": _unique(f"{folder}/{signal.name}", str(signal.start), taken),
                "name": signal.name,
                "type": "Requirement",
                "parent": folder,
                "description": f"{text} {signal.comment or ''}".strip(),
                "fields": _values(signal, signal_fields),
            }


def _values(thing: Any, fields: Mapping[str, str]) -> dict[str, Any]:
    return {field: _plain(getattr(thing, name)) for name, field in fields.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return ", ".join(value) or None
    return value.replace("_endian", " endian") if isinstance(value, str) else value


def _load(dbc: str) -> Any:
    import cantools  # only who runs this generator needs it

    path = _find(dbc)
    try:
        return cantools.database.load_file(path, database_format="dbc", strict=False)
    except Exception as error:  # the parser raises whatever it stumbles over
        reason = " ".join(str(error).split())
        raise DocumentError(dbc, f"not a readable DBC file: {reason}") from error


def _find(dbc: str) -> Path:
    """Return the file: the path as given, else the file of that name in opendbc."""
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


def _unique(key: str, otherwise: str, taken: set[str]) -> str:
    """Return the key, told apart where a file has the same one twice."""
    while key in taken:
        key = f"{key}~{otherwise}"
    taken.add(key)
    return key
