"""The logs of Airflow's processes, as lines with a time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tests.airflow.matrix.row import RUN_ID, Row

if TYPE_CHECKING:
    from tests.airflow.matrix.site import Site

__all__ = ["lines_of", "log_of", "logs_of_run"]


def logs_of_run(site: Site, row: Row) -> Path:
    """Return the folder with the logs of a row's tasks."""
    tasks = site.airflow.logs / "tasks"
    return tasks / f"dag_id={row.dag_id}" / f"run_id={RUN_ID}"


def log_of(site: Site, row: Row, task_id: str, attempt: int = 1) -> Path:
    """Return the log of a task's try."""
    return logs_of_run(site, row) / f"task_id={task_id}" / f"attempt={attempt}.log"


def lines_of(path: Path) -> Iterator[tuple[float, str]]:
    """Return a log's lines with their time, 0 for a line without one."""
    if not path.is_file():
        return
    for line in path.read_text("utf-8", errors="replace").splitlines():
        yield _moment(line), line


_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?")


def _moment(line: str) -> float:
    try:
        text = str(json.loads(line)["timestamp"])
    except (ValueError, KeyError, TypeError):
        found = _STAMP.search(line)
        text = found.group() if found else ""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return 0.0
    return moment.timestamp() if moment.tzinfo else moment.astimezone().timestamp()
