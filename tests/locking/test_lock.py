"""Lock and Owner as JSON, which other tasks read."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.ids import Epoch, Lineage, TrackerId
from airflow_codebeamer.locking import Lock, LockState, Owner

LOCK = Lock(
    server="https://alm.example.com/cb",
    tracker_id=TrackerId(7),
    owner=Owner("dag/run", run="run", link="https://airflow/run", host="h", pid=3),
    epoch=Epoch(4),
    state=LockState.HELD,
    lineage=Lineage("abc"),
    reason="why",
    acquired_at=datetime(2026, 1, 1, tzinfo=UTC),
    lease_until=datetime(2026, 1, 2, tzinfo=UTC),
    exclusive_role="Generator",
    is_mine=True,
)


def test_a_handle_survives_json():
    handle = json.loads(json.dumps(LOCK.handle()))
    assert Lock.from_handle(handle) == LOCK


@pytest.mark.parametrize(
    "handle", [{}, {"server": "x"}, {**LOCK.handle(), "epoch": ""}]
)
def test_something_else_is_refused_in_a_sentence(handle):
    with pytest.raises(ConfigurationError, match="give the handle"):
        Lock.from_handle(handle)


def test_an_owner_is_its_key():
    owner = Owner.here("dag/run")
    assert str(owner) == "dag/run"
    assert owner.pid > 0
    assert Owner.from_json(owner.to_json()) == owner
    assert Owner.from_json(None) == Owner("")
