from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from airflow_codebeamer.emulator import DEMO_TRACKER_ID, Emulator

Ask = Callable[..., requests.Response]


def test_a_remembered_query_forgets_with_every_change(
    ask: Ask, server: Emulator
) -> None:
    body = {"queryString": f"tracker.id IN ({DEMO_TRACKER_ID})"}

    def total(**more: Any) -> int:
        answer = ask("generator", "POST", "/items/query", {**body, **more})
        assert answer.status_code == 200, answer.text
        return int(answer.json()["total"])

    path = f"/trackers/{DEMO_TRACKER_ID}/items"
    assert total() == 0
    made = ask("generator", "POST", path, {"name": "new"}).json()["id"]
    assert total() == total() == 1
    before = {"name": "one", "project": {"id": 101, "type": "ProjectReference"}}
    baseline = ask("bond", "POST", "/baselines", before).json()["id"]
    ask("generator", "DELETE", f"/items/{made}")
    assert (total(), total(baselineId=baseline), total()) == (0, 1, 0)
    server.act("generator", "POST", f"/v3{path}", {"name": "again"})
    assert total() == 1
    server.load_world("demo")
    assert total() == 0
