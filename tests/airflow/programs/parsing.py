"""What a process does that parses DAG files of ours, as JSON on stdout.

The modules that come with our imports, and what is opened, dialled or started
while a file's code runs once everything is imported.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

AUDITED = ("open", "socket.", "sqlite3.", "subprocess.", "os.", "shutil.", "urllib.")
seen: list[str] = []
is_on = False


def note(event: str, args: tuple[object, ...]) -> None:
    if is_on and event.startswith(AUDITED):
        seen.append(f"{event} {args!r}"[:200])


def parse(source: str) -> list[str]:
    """Run a DAG file's code; return what it reached for."""
    global is_on
    code = compile(source, "dag.py", "exec")
    seen.clear()
    is_on = True
    try:
        exec(code, {"__name__": "dag", "__doc__": ""})  # noqa: S102
    finally:
        is_on = False
    return list(seen)


# What any DAG of this shape makes Airflow itself import.
BARE = """
import asyncio
from datetime import timedelta
from airflow.sdk import *
from airflow.sdk.definitions.deadline import *

called = AsyncCallback(asyncio.sleep)
late = DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, 1, called)
params = {"a": Param(1, type="integer")}
with DAG("bare", schedule="@daily", catchup=False, params=params, deadline=late):
    with TaskGroup("group"):
        BaseOperator(task_id="task", retries=1, retry_delay=timedelta(0))
BaseNotifier, BaseHook, BaseOperatorLink, BaseSensorOperator, literal
"""


def main() -> None:
    sys.addaudithook(note)
    parse(BARE)
    before = set(sys.modules)
    import airflow_codebeamer.operators
    import airflow_codebeamer.sensors
    import airflow_codebeamer.template  # noqa: F401

    imported = sorted(set(sys.modules) - before)
    reached = {path: parse(Path(path).read_text()) for path in sys.argv[1:]}
    teeth = parse("import socket\nopen('/dev/null').close()\nsocket.socket().close()")
    print(json.dumps({"imported": imported, "reached": reached, "teeth": teeth}))  # noqa: T201


if __name__ == "__main__":
    main()
