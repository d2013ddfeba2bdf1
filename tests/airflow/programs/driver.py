"""A real Airflow that runs DAGs for the tests: one process, many runs.

Reads one JSON object a line from stdin, answers one a line on the descriptor it
was given; everything Airflow prints goes into a log file.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    log = Path(os.environ["DRIVER_LOG"])
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    for line in sys.stdin:
        begin = log.stat().st_size
        try:
            answer = handle(json.loads(line))
        except BaseException:
            answer = {"error": traceback.format_exc()}
        sys.stdout.flush()
        with log.open("rb") as written:
            written.seek(begin)
            answer["log"] = written.read().decode(errors="replace")
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def handle(order: dict[str, Any]) -> dict[str, Any]:
    saved = dict(os.environ)
    os.environ.update(order.get("env", {}))
    try:
        if order["what"] == "bag":
            return bag(order["folder"])
        return run(order["dag_id"], order.get("conf") or {})
    finally:
        os.environ.clear()
        os.environ.update(saved)


def bag(folder: str) -> dict[str, Any]:
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # Airflow 3.1
        from airflow.models.dagbag import DagBag

    found = DagBag(dag_folder=folder)
    return {
        "errors": found.import_errors,
        "dags": {
            dag.dag_id: {
                "tasks": {task.task_id: facts(task) for task in dag.tasks},
                "callbacks": len(listed(dag.on_failure_callback)),
                "deadlines": len(dag.deadline or ()),
                "params": list(dag.params),
                "owner": dag.owner,
                "schedule": dag.schedule,
            }
            for dag in found.dags.values()
        },
    }


def listed(found: Any) -> list[Any]:
    """Return what may be nothing, one thing or several, as a list."""
    if found is None:
        return []
    return list(found) if isinstance(found, list | tuple) else [found]


def facts(task: Any) -> dict[str, Any]:
    return {
        "type": task.task_type,
        "upstream": sorted(task.upstream_task_ids),
        "is_setup": task.is_setup,
        "is_teardown": task.is_teardown,
        "fails_run": task.on_failure_fail_dagrun,
        "has_callback": bool(task.on_failure_callback),
        "retries": task.retries,
        "deferrable": getattr(task, "deferrable", None),
    }


def run(dag_id: str, conf: dict[str, Any]) -> dict[str, Any]:
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # Airflow 3.1
        from airflow.models.dagbag import DagBag
    from airflow.utils.session import create_session
    from sqlalchemy import text

    dag = DagBag(dag_folder=os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).dags[dag_id]
    ended = dag.test(run_conf=conf)
    query = "SELECT task_id, key, value FROM xcom WHERE dag_id = :dag AND run_id = :run"
    with create_session() as session:
        given = {"dag": dag_id, "run": ended.run_id}
        rows = session.execute(text(query), given).all()
        states = {one.task_id: one.state for one in ended.get_task_instances()}
    xcoms: dict[str, dict[str, Any]] = {}
    for task_id, key, value in rows:
        xcoms.setdefault(task_id, {})[key] = (
            json.loads(value) if isinstance(value, str) else value
        )
    return {
        "state": str(ended.state),
        "run_id": ended.run_id,
        "tasks": {task: str(state) for task, state in states.items()},
        "xcoms": xcoms,
    }


if __name__ == "__main__":
    main()
