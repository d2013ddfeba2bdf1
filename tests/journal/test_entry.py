from __future__ import annotations

from datetime import UTC, datetime

from airflow_codebeamer.journal import Entry

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


def test_entry_is_open_until_it_is_finished() -> None:
    facts = {
        "number": 1,
        "scope": "lineage",
        "kind": "put",
        "key": "7",
        "epoch": 3,
        "intent": [1, 2],
        "begun_at": BEGUN,
    }
    assert Entry(**facts).is_open
    # An outcome of None is an outcome: only the time tells.
    assert not Entry(**facts, outcome=None, finished_at=BEGUN).is_open
