"""What is shown: a run that fills, one that finds nothing to do, one that fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from airflow_codebeamer.clock import Clock, SystemClock
from airflow_codebeamer.demo.expectation import Expectation, differences
from airflow_codebeamer.demo.onlooker import Onlooker
from airflow_codebeamer.demo.rest import DagRun
from airflow_codebeamer.demo.screen import Advance, Screen
from airflow_codebeamer.demo.stage import EXCLUSIVE_ROLE, GENERATOR_DAG, Stage
from airflow_codebeamer.errors import DemoError
from airflow_codebeamer.settings import READ_ONLY_PERMISSIONS

__all__ = ["Story"]

_GENERATOR = "airflow_codebeamer.generators.can:requirements"
_CREATE = "createTrackerItem"
_OK = 200
_KEY_FIELD = "External ID"
_IDLE_RUN_REQUESTS = 6
_VENDOR_REQUESTS_PER_MINUTE = 120
_SAMPLES = 20
_RUN_TIMEOUT_SECONDS = 240.0
_LOOK_AGAIN_SECONDS = 0.1
_ACTIVE = frozenset({"queued", "running", "scheduled", "up_for_retry"})
_OVER = frozenset({"success", "failed", "skipped", "upstream_failed"})


class Story:
    """The acts, in the order in which they are shown.

    Each act ends in steps that compare what happened with what must: the
    emulator is asked, or the file is read, never the engine that is shown.
    """

    def __init__(
        self,
        stage: Stage,
        screen: Screen,
        path: Path,
        wanted: Expectation,
        *,
        clock: Clock | None = None,
    ) -> None:
        self._stage = stage
        self._screen = screen
        self._path = path
        self._wanted = wanted
        self._clock = clock or SystemClock()
        self._permissions = ""
        self._items: list[dict[str, Any]] = []

    def tell(self) -> None:
        """Show all acts.

        Raises:
            DemoError: a run did not get where the next step could begin.
        """
        self._stage.airflow.wait_for_dag(GENERATOR_DAG)
        self._stage.airflow.rest.unpause(GENERATOR_DAG)
        self._before()
        self._first_run()
        self._second_run()
        self._failing_run()

    def _before(self) -> None:
        self._screen.title("Before")
        self._permissions = self._stage.permissions()
        with self._stage.client_of("bond") as client:
            roles = client.trackers.list_permissions(self._stage.tracker_id)
        writing = {}
        for one in roles:
            names = {permission.name for permission in one.permissions}
            may_write = not names <= READ_ONLY_PERMISSIONS
            writing[one.role.name] = may_write
            self._screen.say(
                f"{one.role.name}: {len(names)} permissions, "
                f"{'may write' if may_write else 'may only read'}"
            )
        self._screen.step(
            "permissions before",
            sum(writing.values()) > 1 and writing.get(EXCLUSIVE_ROLE, False),
            f"{sum(writing.values())} of {len(writing)} roles may write to the tracker",
            roles=writing,
        )

    def _first_run(self) -> None:
        self._screen.title("A run that fills the tracker")
        run_id = self._trigger({"dbc": str(self._path)}, "CAN requirements")
        self._wait(run_id, _until_over("plan"))
        self._show_plan(run_id)
        self._wait(run_id, _until_over("lock"))
        self._show_lock(run_id)
        self._onlooker(run_id)
        with self._screen.progress("written", self._wanted.items) as advance:
            run = self._wait(run_id, advance=advance)
        self._expect_run(
            "first run", run, "success", {"unlock": "success", "verify": "success"}
        )
        self._show_items(run_id)
        self._show_released("permissions after")

    def _show_plan(self, run_id: str) -> None:
        plan = self._xcom(run_id, "plan")
        requests = int(plan.get("requests", 0))
        here = requests * self._seconds_a_request()
        vendor = requests / _VENDOR_REQUESTS_PER_MINUTE
        self._screen.step(
            "plan",
            plan.get("created") == self._wanted.items and requests > 0,
            f"{plan.get('created')} items to create, {requests} requests: about "
            f"{here:.0f} s here, {vendor:.0f} min at the vendor's default throttle",
            **{**plan, "seconds": round(here, 1)},
        )

    def _seconds_a_request(self) -> float:
        with self._stage.client_of("alice") as client:
            client.trackers.get_tracker(self._stage.tracker_id)
            began = self._clock.monotonic()
            for _ in range(_SAMPLES):
                client.trackers.get_tracker(self._stage.tracker_id)
            return (self._clock.monotonic() - began) / _SAMPLES

    def _show_lock(self, run_id: str) -> None:
        lock = self._stage.find_lock()
        if lock is None:
            raise DemoError(f"The run {run_id} has no lock after its lock task.")
        until = f"{lock.lease_until:%H:%M:%S}" if lock.lease_until else "?"
        self._screen.step(
            "lock taken",
            run_id in lock.owner.key and self._stage.permissions() != self._permissions,
            f"by {lock.owner}, until {until} unless renewed, for: {lock.reason}",
            owner=lock.owner.key,
            epoch=lock.epoch,
        )

    def _onlooker(self, run_id: str) -> None:
        with self._stage.client_of("alice") as client:
            alice = Onlooker(client, self._stage.tracker_id)
            self._tried("alice adds", *alice.add())
            item_id = self._first_item(run_id)
            self._tried("alice edits", *alice.edit(item_id))
            ok, says = alice.read(item_id)
            self._screen.step("alice reads", ok and self._is_locked(), says)

    def _tried(self, name: str, refused: bool, says: str) -> None:
        # Refused for the lock's sake only if the lock was there all the time.
        self._screen.step(name, refused and self._is_locked(), says)

    def _is_locked(self) -> bool:
        return self._stage.permissions() != self._permissions

    def _first_item(self, run_id: str) -> int:
        while not (items := self._stage.items()):
            run = self._stage.airflow.rest.get_run(GENERATOR_DAG, run_id)
            if run.is_finished:
                raise DemoError(f"The run {run_id} ended {run.state} without any item.")
            self._clock.sleep(_LOOK_AGAIN_SECONDS)
        return int(items[0]["id"])

    def _show_items(self, run_id: str) -> None:
        self._items = self._stage.items()
        keys = {
            item["id"]: str(value["value"])
            for item in self._items
            for value in item["customFields"]
            if value["name"] == _KEY_FIELD and value.get("value")
        }
        wrong = differences(self._wanted, self._items, keys)
        summary = self._xcom(run_id, "generate")
        self._screen.step(
            "items",
            not wrong,
            "; ".join(wrong[:5])
            or f"{len(self._items)} items, parents and order as in {self._path.name}, "
            f"no duplicates; written with {summary.get('requests')} requests in "
            f"{float(summary.get('seconds', 0)):.0f} s",
            items=len(self._items),
            summary=summary,
        )

    def _show_released(self, name: str) -> None:
        lock = self._stage.find_lock()
        same = self._stage.permissions() == self._permissions
        self._screen.step(
            name,
            same and lock is None,
            f"{'identical' if same else 'DIFFERENT'} byte by byte; "
            f"{'no lock is left' if lock is None else f'still locked by {lock.owner}'}",
        )

    def _second_run(self) -> None:
        self._screen.title("The same again")
        self._stage.emulator.clear_calls()
        run_id = self._trigger({"dbc": str(self._path)}, "CAN requirements, again")
        run = self._wait(run_id)
        self._expect_run(
            "second run", run, "success", {"plan": "success", "lock": "skipped"}
        )
        calls = self._stage.emulator.calls()
        writes = [call for call in calls if _is_write(call)]
        self._screen.step(
            "nothing to do",
            len(calls) <= _IDLE_RUN_REQUESTS
            and not writes
            and self._stage.items() == self._items,
            f"{len(calls)} requests, {len(writes)} of them writing; no lock was taken",
            requests=len(calls),
        )
        self._show_released("permissions untouched")

    def _failing_run(self) -> None:
        self._screen.title("A run that fails half-way")
        half = self._wanted.items // 2 + 1
        self._stage.emulator.clear_calls()
        self._stage.emulator.add_fault(
            {"kind": "status", "operation": _CREATE, "nth": half, "status": 400}
        )
        self._screen.say(f"the server will refuse creation number {half}")
        run_id = self._trigger(
            {"dbc": str(self._path), "prefix": "other:"}, "a run that fails"
        )
        with self._screen.progress("written", self._wanted.items) as advance:
            run = self._wait(run_id, advance=advance)
        self._stage.emulator.clear_faults()
        self._expect_run(
            "failing run", run, "failed", {"generate": "failed", "unlock": "success"}
        )
        created = self._created()
        left = self._stage.items()
        self._screen.step(
            "nothing left behind",
            created >= half - 1 and left == self._items,
            f"{created} items had been created; the tracker's items are "
            f"{'as they were before' if left == self._items else 'NOT AS BEFORE'}",
            created=created,
        )
        self._show_released("permissions after the failure")

    def _trigger(self, arguments: Mapping[str, Any], reason: str) -> str:
        return self._stage.airflow.rest.trigger(
            GENERATOR_DAG,
            {
                "tracker_id": self._stage.tracker_id,
                "generator": _GENERATOR,
                "arguments": dict(arguments),
                "reason": reason,
            },
        )

    def _wait(
        self,
        run_id: str,
        until: Callable[[DagRun], bool] | None = None,
        *,
        advance: Advance | None = None,
    ) -> DagRun:
        def seen(run: DagRun) -> None:
            if advance is not None:
                active = [name for name, state in run.tasks.items() if state in _ACTIVE]
                advance(self._created(), ", ".join(active))

        return self._stage.airflow.rest.wait_for_run(
            GENERATOR_DAG,
            run_id,
            timeout_seconds=_RUN_TIMEOUT_SECONDS,
            until=until,
            seen=seen,
        )

    def _created(self) -> int:
        """Return how many items the server created since the calls were cleared."""
        return sum(
            call["operation"] == _CREATE and call["status"] == _OK
            for call in self._stage.emulator.calls()
        )

    def _xcom(self, run_id: str, task_id: str) -> dict[str, Any]:
        found = self._stage.airflow.rest.find_xcom(GENERATOR_DAG, run_id, task_id)
        return dict(found or {})

    def _expect_run(
        self, name: str, run: DagRun, state: str, tasks: Mapping[str, str]
    ) -> None:
        as_told = run.state == state and tasks.items() <= run.tasks.items()
        told = ", ".join(f"{task} {was}" for task, was in run.tasks.items())
        if not self._screen.step(name, as_told, f"the run is {run.state}: {told}"):
            for task_id in sorted(run.tasks):
                self._show_errors(run, task_id)

    def _show_errors(self, run: DagRun, task_id: str) -> None:
        if run.tasks[task_id] != "failed":
            return
        log = self._stage.airflow.rest.task_log(run.dag_id, run.run_id, task_id)
        for line in [one for one in log.splitlines() if " error " in one][-5:]:
            self._screen.say(f"{task_id}: {line}")


def _until_over(task_id: str) -> Callable[[DagRun], bool]:
    return lambda run: run.tasks.get(task_id) in _OVER


def _is_write(call: Mapping[str, Any]) -> bool:
    return call["method"] != "GET" and not str(call["path"]).endswith("/items/query")
