"""Real CAN databases into a tracker, the requests counted by the server."""

from __future__ import annotations

from math import ceil
from typing import Any

import pytest

from airflow_codebeamer.emulator import DEMO_TRACKER_ID, Emulator
from airflow_codebeamer.generators.can import requirements
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Owner
from airflow_codebeamer.wiring import Codebeamer

pytest.importorskip("opendbc")

TRACKER = TrackerId(DEMO_TRACKER_ID)


@pytest.mark.parametrize(
    ("dbc", "frames", "signals"),
    [
        ("vw_mqb.dbc", 113, 1_348),
        pytest.param(
            "gm_global_a_lowspeed_1818125.dbc", 367, 3_210, marks=pytest.mark.nightly
        ),
    ],
)
def test_each_item_costs_one_request(
    server: Emulator, codebeamer: Codebeamer, dbc: str, frames: int, signals: int
) -> None:
    count = frames + signals
    lock = codebeamer.engine.acquire(TRACKER, owner=Owner("test"))
    server.clear_calls()
    summary = run(codebeamer, lock, dbc)
    assert summary.created == count
    assert len(server.calls()) <= count + ceil(count / 500) + 8
    assert [c for c in server.calls() if c["method"] in ("PATCH", "PUT")] == []
    expected = [one["name"] for one in list(requirements(dbc))[1:]]
    found = {item["id"]: item for item in server.items(DEMO_TRACKER_ID)}
    assert len(found) == count
    tops = sorted(
        (item for item in found.values() if not item.get("parent")),
        key=lambda item: item["ordinal"],
    )
    outline = [
        name
        for top in tops
        for name in (top["name"], *(found[c["id"]]["name"] for c in top["children"]))
    ]
    assert outline == expected
    server.clear_calls()
    again = run(codebeamer, lock, dbc)
    assert (again.created, again.unchanged) == (0, count)
    assert len(server.calls()) <= ceil(count / 500) + 4


def run(codebeamer: Codebeamer, lock: Any, dbc: str) -> Any:
    return codebeamer.runner.apply(
        requirements, {"dbc": dbc}, TRACKER, lock, run_key="test"
    )
