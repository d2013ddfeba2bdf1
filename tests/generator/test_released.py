"""`released_field`: what becomes of a field that the document stops naming."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_codebeamer.emulator import DEMO_TRACKER_ID, Emulator
from airflow_codebeamer.errors import PlanConflictError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Owner
from airflow_codebeamer.skeleton import load_documents
from airflow_codebeamer.wiring import Codebeamer

TRACKER = TrackerId(DEMO_TRACKER_ID)
#: The number of the field in the demo's tracker.
NUMBERS = {"Factor": 10004}


@pytest.fixture(params=["apply", "apply_all"])
def apply(request: Any, codebeamer: Codebeamer) -> Any:
    """Return a function that applies items with these fields, alone or as a set."""

    def run(*fields: dict[str, Any], owner: str = "o", **policy: Any) -> Any:
        items = [
            {"key": str(n), "name": str(n), "fields": one}
            for n, one in enumerate(fields)
        ]
        head = {"owner": owner, "target": {"tracker": TRACKER}, "policy": policy}
        (document,) = load_documents({**head, "items": items})
        lock = codebeamer.engine.acquire(TRACKER, owner=Owner("dag/run"))
        runner = codebeamer.runner
        try:
            if request.param == "apply":
                return runner.apply(document, {}, TRACKER, lock, run_key="dag/run")
            return runner.apply_all((document,), {}, [lock], run_key="dag/run")
        finally:
            codebeamer.engine.release(TRACKER, owner_key="dag/run")

    return run


def values(server: Emulator, name: str) -> list[Any]:
    return [
        next((f.get("value") for f in item["customFields"] if f["name"] == name), None)
        or None
        for item in server.items(TRACKER)
    ]


def test_a_released_field_is_emptied_once(server: Emulator, apply: Any) -> None:
    both = {"Unit": "m", "Factor": 2.5}
    apply(both, {"Unit": "m"})
    apply({"Unit": "m"}, {"Unit": "m"})
    assert values(server, "Factor") == [2.5, None]
    # A run that knows nothing of it, or is of another document, leaves it alone.
    apply(both, {"Unit": "m"})
    apply({"Unit": "km"}, {"Unit": "m"}, owner="other", released_field="clear")
    assert values(server, "Factor") == [2.5, None]

    done = apply({"Unit": "m"}, {"Unit": "m"}, released_field="clear")
    assert done.updated == 1
    assert values(server, "Factor") == [None, None]
    write(server, "Factor", 7)
    done = apply({"Unit": "m"}, {"Unit": "m"}, released_field="clear")
    assert done.updated == 0
    assert values(server, "Factor") == [7, None]


def test_what_somebody_else_wrote_there_is_an_edit(
    server: Emulator, apply: Any
) -> None:
    apply({"Unit": "m", "Factor": 2.5})
    write(server, "Factor", 7)
    with pytest.raises(PlanConflictError, match="the document wants empty"):
        apply({"Unit": "m"}, released_field="clear")
    kept = apply({"Unit": "m"}, released_field="clear", foreign_edit="keep")
    assert (kept.updated, len(kept.warnings)) == (0, 1)
    assert values(server, "Factor") == [7]


def write(server: Emulator, name: str, value: float) -> None:
    """Write a field of the first item as somebody else."""
    first = server.items(TRACKER)[0]
    kind = "DecimalFieldValue"
    entry = {"fieldId": NUMBERS[name], "type": kind, "value": value}
    path = f"/v3/items/{first['id']}/fields"
    assert server.act("alice", "PUT", path, {"fieldValues": [entry]}) == 200
