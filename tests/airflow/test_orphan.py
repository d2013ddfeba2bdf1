"""A generator whose supervisor dies: nobody listens, and it still cleans up."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow_codebeamer.emulator import DEMO_TRACKER_ID

#: Runs a generator, and says how it ended.
PROGRAM = """
import sys
from pathlib import Path
from types import SimpleNamespace
from airflow_codebeamer.operators import LockTrackerOperator, RunGeneratorOperator

tracker, folder = int(sys.argv[1]), Path(sys.argv[2])
context = {"ti": SimpleNamespace(dag_id="fill", run_id="manual/1", map_index=-1)}
handle = LockTrackerOperator(task_id="lock", tracker_id=tracker).execute(context)

def items():
    for number in range(40):
        yield {"key": f"k{number}", "name": f"Item {number}"}

try:
    RunGeneratorOperator(task_id="g", generator=items, lock=handle).execute(context)
except BaseException as error:
    notes = getattr(error, "__notes__", [])
    (folder / "how").write_text("\\n".join([str(error), *notes]))
(folder / "how").rename(folder / "ended")
"""


def test_generator_without_supervisor_undoes_what_it_wrote(
    here: Any, tmp_path: Path
) -> None:
    before = here.server.items(DEMO_TRACKER_ID)
    delay = {"kind": "delay", "operation": "createTrackerItem", "seconds": 0.1}
    here.server.add_fault(delay)
    program = tmp_path / "orphan.py"
    program.write_text(PROGRAM)
    tracker = str(DEMO_TRACKER_ID)
    # The shell has a second command, so it does not become the program.
    supervisor = subprocess.Popen(
        ["sh", "-c", '"$@"; true', "sh", sys.executable, program, tracker, "."],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert supervisor.stdout is not None
    try:
        wait_for(lambda: here.server.items(DEMO_TRACKER_ID) != before)
    finally:
        supervisor.kill()
        supervisor.wait()
        # From here on each line of the orphan's log is a broken pipe.
        supervisor.stdout.close()
    wait_for((tmp_path / "ended").exists)
    said = (tmp_path / "ended").read_text()
    # On Airflow 3.1 the next line of the log fails, and the task with it.
    assert "what it wrote is undone" in said or "Broken pipe" in said
    assert "changes undone, nothing is left of it" in said
    assert here.server.items(DEMO_TRACKER_ID) == before
    assert here.owners() == {DEMO_TRACKER_ID: "fill/manual/1"}


def wait_for(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)
