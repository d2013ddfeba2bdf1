"""What only an emulator has: its own prefix, its honesty, its clock."""

from __future__ import annotations

import pytest
import requests

from tests.contracts.asking import Ask, Make, lock, rename
from tests.contracts.subject import Subject


@pytest.mark.emulator_only
def test_a_clause_that_it_does_not_understand_is_501(ask: Ask) -> None:
    said = ask("findTrackerItemsByCbQL", body={"queryString": "moon.phase = 'full'"})
    assert said.status == 501
    assert "moon.phase" in said.message


@pytest.mark.emulator_only
def test_a_soft_lock_ends_on_command(ask: Ask, made: Make, subject: Subject) -> None:
    assert subject.emulator is not None
    item = made()
    lock(ask, item, hard=False, duration="1:30h")
    assert rename(ask, item, who="other").status == 423
    subject.emulator.advance(5400)
    assert rename(ask, item, who="other").status == 200


@pytest.mark.emulator_only
def test_the_control_prefix_is_not_below_the_server(subject: Subject) -> None:
    assert subject.emulator is not None
    assert requests.get(f"{subject.url}/emulator/health", timeout=10).status_code == 404
    answer = requests.get(f"{subject.emulator.control_url}/health", timeout=10)
    assert answer.json()["status"] == "ok"
