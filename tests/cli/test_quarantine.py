"""A run that cannot be undone whole, and a document that keeps its tracker then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer.cli.session import who
from airflow_codebeamer.emulator import DEMO_TRACKER_ID, Emulator

TRACKER = str(DEMO_TRACKER_ID)
#: What is over need not be over for long.
SOON = "ttl=1500ms,beat=300ms,margin=300ms,lock_delay=0,bridge=5s,settle=0"


@pytest.fixture
def stuck(server: Emulator, commands: Any, tmp_path: Path) -> Any:
    """Apply a document whose second item is refused and whose first cannot go."""

    def apply(level: str) -> Any:
        path = tmp_path / "stuck.yaml"
        path.write_text(
            f"owner: tests\ntarget: {{tracker: {TRACKER}}}\n"
            f"policy: {{on_failure: {level}}}\n"
            "items: [{key: a, name: A}, {key: b, name: B}]\n"
        )
        commands.env["CODEBEAMER_LOCK_TIMING"] = SOON
        refused = {"kind": "status", "status": 400}
        server.add_fault({**refused, "operation": "createTrackerItem", "nth": 2})
        server.add_fault({**refused, "operation": "deleteTrackerItem"})
        return commands.run("apply", str(path))

    return apply


def test_what_is_left_keeps_nobody_out_by_default(
    server: Emulator, commands: Any, stuck: Any
) -> None:
    before = server.permissions(DEMO_TRACKER_ID)
    assert stuck("restore").code == 1
    assert server.permissions(DEMO_TRACKER_ID) == before
    assert commands.json("lock", "list") == {"locks": []}


def test_a_quarantine_holds_until_a_person_ends_it(
    server: Emulator, commands: Any, stuck: Any
) -> None:
    before = server.permissions(DEMO_TRACKER_ID)
    failed = stuck("restore_or_keep_locked")
    assert failed.code == 1
    assert f"lock accept-items {TRACKER}" in failed.err
    reduced = server.permissions(DEMO_TRACKER_ID)
    assert reduced != before

    assert "quarantined" in commands.run("lock", "list").out
    assert commands.json("lock", "list")["locks"][0]["is_quarantined"] is True
    (left,) = commands.json("lock", "show", TRACKER)["quarantine"]
    assert "not trashed" in left
    for _ in range(2):
        recovered = commands.run("recover")
        assert recovered.code == 5
        assert f"lock accept-items {TRACKER}" in recovered.out
        assert server.permissions(DEMO_TRACKER_ID) == reduced
    broken = commands.run("lock", "break", TRACKER, "--reason", "impatient")
    assert f"lock accept-items {TRACKER}" in broken.err
    taken = commands.run("lock", "acquire", TRACKER, "--owner", "next")
    assert taken.code not in (0, 3)
    assert f"lock accept-items {TRACKER}" in taken.err
    assert server.permissions(DEMO_TRACKER_ID) == reduced

    accepted = commands.json(
        "lock", "accept-items", TRACKER, "--reason", "it may stay", "--by", "bond"
    )
    assert accepted["left"] == [left]
    assert server.permissions(DEMO_TRACKER_ID) == before
    assert commands.json("lock", "list") == {"locks": []}
    assert [item["name"] for item in server.items(DEMO_TRACKER_ID)] == ["A"]
    events = commands.json("lock", "history", TRACKER)["events"]
    said = [(e["who"], e["detail"]) for e in events if e["kind"] == "items_accepted"]
    assert said == [(f"bond ({who()})", {"reason": "it may stay"})]
    again = commands.run("lock", "accept-items", TRACKER, "--reason", "twice")
    assert "is not quarantined" in again.err


def test_what_can_be_undone_after_all_ends_it_too(
    server: Emulator, commands: Any, stuck: Any
) -> None:
    before = server.permissions(DEMO_TRACKER_ID)
    stuck("restore_or_keep_locked")
    server.clear_faults()
    recovered = commands.run("recover")
    assert recovered.code == 0, recovered.out
    assert server.items(DEMO_TRACKER_ID) == []
    assert server.permissions(DEMO_TRACKER_ID) == before
