"""Test cases from a CAN database (DBC), linked to the requirements by key.

A folder for each frame and for each of its signals up to three test cases: its
value range, a frame that stays away, and the check at the end of the line. What
`airflow_codebeamer.generators.can:requirements` wrote is found again by its key.
Run it as `airflow_codebeamer.generators.can_tests:cases`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_codebeamer.generators.dbc import frames, key_of

__all__ = ["cases"]

#: A frame counts as lost after so many of its cycles.
CYCLES = 5


def cases(
    dbc: str = "vw_mqb.dbc",
    prefix: str = "can-test:",
    requirements: int | str | None = None,
    requirement_prefix: str = "can:",
    verifies: str = "Verifies",
) -> Iterator[Mapping[str, Any]]:
    """Yield the head, a folder for each frame, and test cases for its signals.

    `requirements` is the tracker with the requirements, by number or name; each
    test case then names its requirement in the field `verifies`, by the key with
    which it was generated, that is with `requirement_prefix`.

    Raises:
        ConfigurationError: there is no such file.
        DocumentError: the file is there and is no DBC.
    """
    yield {"identity": {"prefix": prefix}, "source": {"system": "dbc", "file": dbc}}
    taken: set[str] = set()
    for frame in frames(dbc):
        folder = key_of(frame, taken)
        number = folder.partition("~")[0]
        yield {"key": folder, "name": f"{number} {frame.name}", "type": "Folder"}
        for signal in frame.signals:
            key = key_of(signal, taken, folder)
            fields: dict[str, Any] = {}
            if requirements is not None:
                known = f"{requirement_prefix}{key}"
                fields[verifies] = [{"tracker": requirements, "key": known}]
            for kind, steps in _cases(frame, signal):
                yield {
                    "key": f"{key}/{kind}",
                    "name": f"{signal.name}: {kind}",
                    "parent": folder,
                    "fields": fields,
                    "steps": steps,
                }


Steps = list[dict[str, Any]]


def _cases(frame: Any, signal: Any) -> Iterator[tuple[str, Steps]]:
    low, high = _range(signal)
    unit = f" {signal.unit}" if signal.unit else ""
    yield (
        "range",
        [
            _step(f"Send {signal.name} = {low:g}{unit}", "The value is taken over"),
            _step(f"Send {signal.name} = {high:g}{unit}", "The value is taken over"),
            _step(
                f"Send {signal.name} above {high:g}{unit}, if its bits allow it",
                "The last valid value is kept",
                critical=True,
            ),
        ],
    )
    if frame.cycle_time:
        silence = CYCLES * frame.cycle_time
        yield (
            "time-out",
            [
                _step(
                    f"Stop sending the frame {frame.name} for {silence:g} ms",
                    f"The loss of {signal.name} is detected",
                    critical=True,
                ),
                _step(f"Send {frame.name} again", f"{signal.name} is valid again"),
            ],
        )
    yield (
        "end of line",
        [
            _step(
                f"Read {signal.name} from the bus",
                f"Between {low:g} and {high:g}{unit}",
            )
        ],
    )


def _step(action: str, expected: str, *, critical: bool = False) -> dict[str, Any]:
    return {"action": action, "expected": expected, "critical": critical}


def _range(signal: Any) -> tuple[float, float]:
    """Return what the file says, else what the bits can hold."""
    if signal.minimum is not None and signal.maximum is not None:
        return float(signal.minimum), float(signal.maximum)
    bits = int(signal.length)
    raw = (
        (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        if signal.is_signed
        else (0, 2**bits - 1)
    )
    ends = sorted(float(one * signal.scale + signal.offset) for one in raw)
    return ends[0], ends[1]
