"""Airflow's own REST API, as far as a demonstration and its tests need it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from airflow_codebeamer.clock import Clock, SystemClock
from airflow_codebeamer.errors import DemoError

__all__ = ["AirflowRest", "DagRun"]

_FINISHED = frozenset({"success", "failed"})
_TIMEOUT_SECONDS = 30.0
_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class DagRun:
    """A run of a DAG: its state, and the state of every task by task id."""

    dag_id: str
    run_id: str
    state: str
    tasks: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen in this run."""
        return self.state in _FINISHED


class AirflowRest:
    """A real Airflow over HTTP, logged in by name and password.

    The token is fetched at the first call and again when it has expired.

    Raises (every method):
        DemoError: no answer, or one that is not a success.
    """

    def __init__(
        self,
        url: str,
        *,
        login: str = "admin",
        password: str = "",
        clock: Clock | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._login = login
        self._password = password
        self._clock = clock or SystemClock()
        self._session = requests.Session()
        self._session.trust_env = False
        self._has_token = False

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def find_health(self) -> dict[str, str] | None:
        """Return each component's health by name, None while nobody answers."""
        try:
            answer = self._session.get(
                f"{self.url}/api/v2/monitor/health", timeout=_TIMEOUT_SECONDS
            )
            parts = answer.json() if answer.ok else None
        except (requests.RequestException, ValueError):
            return None
        if parts is None:
            return None
        return {name: str(part.get("status")) for name, part in parts.items() if part}

    def list_dags(self) -> list[str]:
        """List the ids of the DAGs that Airflow knows."""
        return [dag["dag_id"] for dag in self._get("dags", limit=100)["dags"]]

    def list_import_errors(self) -> list[str]:
        """List what keeps DAG files from being imported."""
        found = self._get("importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace']}" for error in found]

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run a DAG."""
        self._call("PATCH", f"dags/{dag_id}", json={"is_paused": False})

    def pause(self, dag_id: str) -> None:
        """Let the scheduler begin nothing more of a DAG."""
        self._call("PATCH", f"dags/{dag_id}", json={"is_paused": True})

    def delete_dag(self, dag_id: str) -> None:
        """Delete a DAG with all its runs, as a person would in the UI."""
        self._call("DELETE", f"dags/{dag_id}")

    def trigger(
        self, dag_id: str, conf: Mapping[str, Any], *, run_id: str | None = None
    ) -> str:
        """Start a run with these values of its Params and return its id."""
        body: dict[str, Any] = {"logical_date": None, "conf": dict(conf)}
        if run_id is not None:
            body["dag_run_id"] = run_id
        answer = self._call("POST", f"dags/{dag_id}/dagRuns", json=body)
        return str(answer["dag_run_id"])

    def get_run(self, dag_id: str, run_id: str) -> DagRun:
        """Return a run with the state of its tasks."""
        state = self._get(f"dags/{dag_id}/dagRuns/{run_id}")["state"]
        tasks = self._get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=100)
        return DagRun(
            dag_id,
            run_id,
            str(state),
            {
                task["task_id"]: str(task["state"] or "none")
                for task in tasks["task_instances"]
            },
        )

    def wait_for_run(
        self,
        dag_id: str,
        run_id: str,
        *,
        timeout_seconds: float = 120.0,
        until: Callable[[DagRun], bool] | None = None,
        seen: Callable[[DagRun], None] | None = None,
    ) -> DagRun:
        """Poll a run until it is finished, or until `until` says so.

        `seen` gets every look. A run that ends before `until` holds is
        returned as it ended.

        Raises:
            DemoError: the time is over.
        """
        end = self._clock.monotonic() + timeout_seconds
        while True:
            run = self.get_run(dag_id, run_id)
            if seen is not None:
                seen(run)
            if run.is_finished or (until is not None and until(run)):
                return run
            if self._clock.monotonic() >= end:
                raise DemoError(
                    f"The run {run_id} of {dag_id} is {run.state} after "
                    f"{timeout_seconds:.0f} s, its tasks: {dict(run.tasks)}; "
                    "look into the scheduler's log."
                )
            self._clock.sleep(_POLL_SECONDS)

    def mark_run(self, dag_id: str, run_id: str, state: str) -> None:
        """Set a run's state by hand, as a person would in the UI."""
        self._call("PATCH", f"dags/{dag_id}/dagRuns/{run_id}", json={"state": state})

    def mark_task(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Set a task's state by hand, as a person would in the UI."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        self._call("PATCH", path, json={"new_state": state})

    def delete_task(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Delete a task of a run, as a person would in the UI."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        self._call("DELETE", path)

    def clear_task(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Let a task and what comes after it run again, whatever state it is in."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": [task_id],
            "only_failed": False,
            "include_downstream": True,
        }
        self._call("POST", f"dags/{dag_id}/clearTaskInstances", json=body)

    def clear_run(self, dag_id: str, run_id: str) -> None:
        """Let a run begin again, all its tasks included."""
        body = {"dry_run": False, "only_failed": False}
        self._call("POST", f"dags/{dag_id}/dagRuns/{run_id}/clear", json=body)

    def find_pid(self, dag_id: str, run_id: str, task_id: str) -> int | None:
        """Return the number of a running task's process, None before it has one."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        pid = self._get(path)["pid"]
        return None if pid is None else int(pid)

    def find_xcom(
        self, dag_id: str, run_id: str, task_id: str, key: str = "return_value"
    ) -> Any:
        """Return what a task handed on, None if it handed on nothing."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        found = self._get(f"{path}/xcomEntries", limit=100)["xcom_entries"]
        if key not in {entry["key"] for entry in found}:
            return None
        return self._get(f"{path}/xcomEntries/{key}", deserialize="true")["value"]

    def find_pool(self, name: str = "default_pool") -> dict[str, Any]:
        """Return a pool with its slots: `running_slots`, `deferred_slots` and so on."""
        found: dict[str, Any] = self._get(f"pools/{name}")
        return found

    def find_links(self, dag_id: str, run_id: str, task_id: str) -> dict[str, str]:
        """Return the buttons of a task: name to address."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/links"
        found: dict[str, str] = self._get(path)["extra_links"]
        return found

    def task_log(self, dag_id: str, run_id: str, task_id: str, attempt: int = 1) -> str:
        """Return a task's log, a line for each event."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}"
        content = self._get(path, full_content="true")["content"]
        if isinstance(content, str):
            return content
        return "\n".join(_line(event) for event in content)

    def _get(self, path: str, **query: Any) -> Any:
        return self._call("GET", path, params=query)

    def _call(self, method: str, path: str, **parts: Any) -> Any:
        if not self._has_token:
            self._log_in()
        answer = self._send(method, f"/api/v2/{path}", **parts)
        if answer.status_code == requests.codes.unauthorized:
            self._log_in()
            answer = self._send(method, f"/api/v2/{path}", **parts)
        return _content(answer)

    def _log_in(self) -> None:
        body = {"username": self._login, "password": self._password}
        answer = self._send("POST", "/auth/token", json=body)
        token = _content(answer)["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._has_token = True

    def _send(self, method: str, path: str, **parts: Any) -> requests.Response:
        try:
            return self._session.request(
                method,
                f"{self.url}{path}",
                timeout=_TIMEOUT_SECONDS,
                headers={"Accept": "application/json"},
                **parts,
            )
        except requests.RequestException as error:
            raise DemoError(
                f"Airflow does not answer {method} {path} ({type(error).__name__}); "
                "look into the log of its api-server."
            ) from error


def _line(event: Any) -> str:
    """Return an event of a task's log as people read it, its exceptions in short."""
    if not isinstance(event, Mapping):
        return str(event)
    parts = [str(event.get(name) or "") for name in ("timestamp", "level", "event")]
    parts += [
        f"{cause.get('exc_type')}: {cause.get('exc_value')}"
        for cause in event.get("error_detail") or ()
    ]
    return " ".join(parts)


def _content(answer: requests.Response) -> Any:
    if not answer.ok:
        path = answer.request.path_url if answer.request else ""
        raise DemoError(
            f"Airflow answered {answer.request.method} {path} with "
            f"{answer.status_code}: {answer.text[:300]}"
        )
    return answer.json() if answer.content else None
