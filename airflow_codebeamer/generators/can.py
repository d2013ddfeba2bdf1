"""Requirements from a CAN database (DBC): the example of how to write a generator.

A generator is a function that yields items. It reads what it was given, never
talks to Codebeamer, and yields the same keys for the same things on each run:
creating, updating, ordering and undoing is not its business. Run it as
`airflow_codebeamer.generators.can:requirements`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_codebeamer.generators.dbc import frames, key_of

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
) -> Iterator[Mapping[str, Any]]:
    """Yield the head, a folder for each frame, a requirement for each signal.

    `dbc` is the path of a DBC file, or the name of one in the package
    `opendbc`. `prefix` stands before every key in the tracker, where items with
    another prefix are somebody else's. The two mappings say which field of the
    tracker takes what; a field that is left out is not written.

    Raises:
        ConfigurationError: there is no such file.
        DocumentError: the file is there and is no DBC.
    """
    yield {"identity": {"prefix": prefix}}
    taken: set[str] = set()
    for frame in frames(dbc):
        folder = key_of(frame, taken)
        number = folder.partition("~")[0]
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
                "key": key_of(signal, taken, folder),
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
