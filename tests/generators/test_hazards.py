"""The generator in shell and awk, run as the process that it is."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from airflow_codebeamer.emulator import DEMO_TRACKER_ID, Emulator
from airflow_codebeamer.errors import GeneratorFailedError, Retry
from airflow_codebeamer.generator import Program
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Owner
from airflow_codebeamer.wiring import Codebeamer

TRACKER = TrackerId(DEMO_TRACKER_ID)
SCRIPT = str(files("airflow_codebeamer.generators") / "hazards.sh")

CATALOGUE = """# key;parent;name;text
braking;;Braking
H-1;braking;Too weak;"Soft" pedal \\ long way	(tab) ü
H-2;braking;Too strong;Wheels lock

"""


@pytest.fixture
def program(tmp_path: Path) -> Program:
    path = tmp_path / "hazards.csv"
    path.write_text(CATALOGUE)
    return Program(command=("sh", SCRIPT, str(path)), messages="stdout")


def test_it_fills_a_tracker(
    server: Emulator, codebeamer: Codebeamer, program: Program
) -> None:
    lock = codebeamer.engine.acquire(TRACKER, owner=Owner("test"))
    summary = codebeamer.runner.apply(program, {}, TRACKER, lock, run_key="test")
    assert summary.created == 3
    items = {item["name"]: item for item in server.items(DEMO_TRACKER_ID)}
    weak = items["Too weak"]
    assert weak["description"] == '"Soft" pedal \\ long way\t(tab) ü'
    assert weak["parent"]["id"] == items["Braking"]["id"]
    again = codebeamer.runner.apply(program, {}, TRACKER, lock, run_key="test")
    assert (again.created, again.updated, again.unchanged) == (0, 0, 3)


def test_a_wrong_line_says_which_and_helps_no_retry(
    codebeamer: Codebeamer, program: Program
) -> None:
    path = Path(program.command[-1])
    path.write_text(CATALOGUE + "H-3;oops\n")
    with pytest.raises(GeneratorFailedError, match="line 6 of the cata") as caught:
        codebeamer.runner.plan(program, {}, TRACKER)
    assert caught.value.retry is Retry.NEVER
    path.unlink()
    with pytest.raises(GeneratorFailedError, match="cannot read"):
        codebeamer.runner.plan(program, {}, TRACKER)


def test_it_is_short_and_shipped() -> None:
    assert len(Path(SCRIPT).read_text().splitlines()) < 120
