"""Whole runs over made-up documents: apply, verify, and undo."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest

from airflow_codebeamer.errors import LockLostError
from airflow_codebeamer.skeleton import read_again, verify


def made_up(dice: random.Random) -> list[dict[str, Any]]:
    """Return flat items: a random forest with random values."""
    keys = dice.sample("ABCDEFGHIJKL", dice.randint(3, 12))
    items: list[dict[str, Any]] = []
    for index, key in enumerate(keys):
        fields: dict[str, Any] = {}
        if dice.random() < 0.7:
            fields["Unit"] = dice.choice(["V", "A", None])
        if dice.random() < 0.5:
            fields["ASIL"] = dice.choice(["A", "B", None])
        if dice.random() < 0.5:
            fields["Factor"] = dice.choice([0.5, 1, None])
        entry: dict[str, Any] = {"key": key, "name": f"N{key}", "fields": fields}
        if index and dice.random() < 0.6:
            entry["parent"] = dice.choice(keys[:index])
        items.append(entry)
    return items


def add_strangers(rig, dice: random.Random) -> None:
    """Let alice add items below ours and at the top."""
    numbers = [item["id"] for item in rig.server.items(rig.tracker_id)]
    for n in range(3):
        parent = dice.choice([None, *numbers])
        where = f"?parentItemId={parent}" if parent else ""
        path = f"/v3/trackers/{rig.tracker_id}/items{where}"
        assert rig.server.act("alice", "POST", path, {"name": f"stranger {n}"}) == 200


@pytest.mark.parametrize("seed", range(12))
def test_any_document_is_applied_over_any_other_and_undone(rig, seed):
    dice = random.Random(seed)  # noqa: S311 - no secret
    rig.apply(rig.document(*made_up(dice)))
    add_strangers(rig, dice)
    before = rig.state()
    document = rig.document(*made_up(dice))
    wanted = rig.plan(document)
    allowed = threading.Semaphore(dice.randint(0, 12))

    def guard() -> None:
        if not allowed.acquire(blocking=False):
            raise LockLostError(rig.tracker_id, expected=1, found=2, why="test")

    for end in (guard, lambda: None):
        run = rig.run()
        try:
            rig.apply(document, run=run, guard=end)
        except LockLostError:
            assert end is guard
        else:
            assert verify(wanted, read_again(rig.client, wanted.snapshot)) == []
            assert rig.plan(document).is_empty
        assert rig.roll_back(run).left == ()
        assert rig.state() == before
