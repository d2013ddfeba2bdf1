"""The template under a real scheduler, with processes that are really killed.

One Airflow on PostgreSQL for the whole module; the emulator is slowed down, so
that there is a middle of a run to hurt it in.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from airflow_codebeamer.demo import DagRun, Stage
from airflow_codebeamer.demo.environment import codebeamer_connection
from airflow_codebeamer.emulator import (
    ALL_PERMISSIONS,
    READ_ONLY,
    Emulator,
    WorldBuilder,
)
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Owner
from airflow_codebeamer.settings import (
    LockSettings,
    ServerSettings,
    Settings,
    StoreSettings,
)
from airflow_codebeamer.wiring import Codebeamer, connect
from tests.generator.speak import SERVER, SPEAK

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.postgres,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("scheduler"),
]

TEMPLATE = "codebeamer_generator"
ITEMS = 60
OVER = {"success", "failed"}

GENERATORS = """
from __future__ import annotations


def numbered(prefix="n:", count=60):
    yield {"key": prefix + "folder", "name": prefix + "folder", "type": "Folder"}
    for number in range(1, count):
        yield {
            "key": f"{prefix}{number}",
            "name": f"{prefix}{number}",
            "parent": prefix + "folder",
        }


def breaking(context, prefix="b:"):
    for number, item in enumerate(numbered(prefix)):
        if number == 30 and not context.dry_run:
            raise ValueError("the model ends in the middle")
        yield item
"""

DAGS = """
from __future__ import annotations

import os
import sys

from airflow.sdk import DAG
from airflow_codebeamer.operators import (
    LockTrackerOperator,
    RunGeneratorOperator,
    UnlockTrackerOperator,
)
from airflow_codebeamer.template import exclusive_tracker, generator_dag

with DAG("careless", schedule=None, params={"tracker_id": 0}):
    LockTrackerOperator(
        task_id="lock", tracker_id="{{ params.tracker_id }}", reason="by hand"
    ) >> UnlockTrackerOperator(task_id="unlock")

form = {"priority": 0, "skip": False, "wait_for": "4m"}
with DAG("queued", schedule=None, params=form):
    queued = LockTrackerOperator(
        task_id="lock",
        tracker_id="{{ params.tracker_id }}",
        wait_for="{{ params.wait_for }}",
        priority="{{ params.priority }}",
        skip_if_locked="{{ params.skip }}",
        deferrable=True,
        reason="in order",
    )
    queued >> queued.teardown()

program = {
    "command": [sys.executable, os.environ["SCHED_PROGRAM"]],
    "kind": "delegate",
    "access": "direct",
    "grace": 60,
}
with DAG("in_turn", schedule=None):
    with exclusive_tracker(
        "{{ params.tracker_id }}", codebeamer_conn_id="turns", wait_for=None
    ):
        RunGeneratorOperator(
            task_id="fill",
            generator=program,
            generator_args="{{ params.arguments | tojson }}",
        )

patient = generator_dag("patient", generator="sched_generators:numbered", retries=0)
impatient = generator_dag(
    "impatient", generator="sched_generators:numbered", retries=0, wait_for=None
)
"""

#: Writes as the account that it was given, and does not listen when it is to end.
PROGRAM = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
args = context()["params"]
create("by " + os.environ["CB_USERNAME"])
while args.get("flag") and not os.path.exists(args["flag"]):
    time.sleep(0.05)
try:
    create("late, by " + os.environ["CB_USERNAME"])
except urllib.error.HTTPError as error:
    with open(args["flag"] + ".answer", "w") as file:
        file.write(str(error.code))
    sys.exit(77)
say("result")
"""
IN_ORDER = ["queued/urgent", "queued/early", "queued/late"]
A, B, LOCKSMITH = "generator-a", "generator-b", "locksmith"


class Metrics:
    """A StatsD server: keeps the name of whatever it is sent."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.2)
        self._seen: set[str] = set()

    @property
    def variables(self) -> dict[str, str]:
        """Return what an Airflow needs to know to send them here."""
        return {
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(self._socket.getsockname()[1]),
            # The socket's buffer is small and Airflow sends a lot.
            "AIRFLOW__METRICS__METRICS_ALLOW_LIST": "codebeamer",
        }

    def wait_for(self, *names: str) -> None:
        """Wait until each name came at least once."""
        until = time.monotonic() + 20
        while wanting := set(names) - self._seen:
            assert time.monotonic() < until, f"{wanting} not in {self._seen}"
            with suppress(TimeoutError):
                line = self._socket.recv(4096).decode()
                self._seen.add(line.partition(":")[0])

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(scope="module")
def metrics() -> Iterator[Metrics]:
    opened = Metrics()
    yield opened
    opened.close()


@dataclass(frozen=True)
class Turns:
    """A server with two accounts that write in turn, and a third that locks."""

    server: Emulator
    tracker: int

    @property
    def connections(self) -> dict[str, str]:
        """Return the three connections, as the environment of Airflow has them."""
        return {
            "AIRFLOW_CONN_TURNS": self._connection(LOCKSMITH, rotation="by_a, by_b"),
            "AIRFLOW_CONN_BY_A": self._connection(A, exclusive_role=A),
            "AIRFLOW_CONN_BY_B": self._connection(B, exclusive_role=B),
        }

    def settings(self, stage: Stage) -> Settings:
        """Return what somebody who is no Airflow needs for the same."""
        return Settings(
            server=self._account(LOCKSMITH),
            store=settings_of(stage).store,
            lock=LockSettings(lock_delay=timedelta(seconds=2)),
            writers=(self._account(A, A), self._account(B, B)),
        )

    def names(self) -> list[str]:
        return sorted(item["name"] for item in self.server.items(self.tracker))

    def _account(self, login: str, role: str = "") -> ServerSettings:
        return ServerSettings(
            url=self.server.url,
            login=login,
            password=SecretStr(f"the secret of {login}"),
            requests_per_second=None,
            requests_per_minute=None,
            exclusive_role=role,
        )

    def _connection(self, login: str, **extra: str) -> str:
        return json.dumps(
            codebeamer_connection(
                self.server.url,
                login=login,
                password=f"the secret of {login}",
                requests_per_second="off",
                requests_per_minute="off",
                **extra,
            )
        )


@pytest.fixture(scope="module")
def turns() -> Iterator[Turns]:
    build = WorldBuilder()
    project = build.project("Brake System", "BRK")
    rights: dict[int, Any] = {}
    for login, role in ((A, A), (B, B), (LOCKSMITH, "Locksmith"), ("alice", "Dev")):
        account = build.user(login, password=f"the secret of {login}")
        number = build.role(project, role, trackers_admin=login == LOCKSMITH)
        build.member(project, account, number)
        rights[number] = ALL_PERMISSIONS if role == "Dev" else READ_ONLY
    tracker = build.tracker(project, "REQ", "REQ", permissions=rights)
    with Emulator(world=build.build()) as server:
        yield Turns(server, int(tracker))


@pytest.fixture(scope="module")
def stage(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: Any,
    canary: Any,
    metrics: Metrics,
    turns: Turns,
) -> Iterator[Stage]:
    # The server of the root fixture runs, so the account of PostgreSQL exists.
    folder = tmp_path_factory.mktemp("scheduler")
    (folder / "sched_generators.py").write_text(GENERATORS, "utf-8")
    (folder / "sched_dags.py").write_text(DAGS, "utf-8")
    program = folder / "sched_program.py"
    program.write_text(SPEAK + SERVER + PROGRAM, "utf-8")
    template = Path(__file__).parents[2] / "dags" / f"{TEMPLATE}.py"
    with Stage(
        folder,
        postgres=True,
        dag_files=(template, folder / "sched_dags.py"),
        variables={
            "PYTHONPATH": str(folder),
            "AIRFLOW__CODEBEAMER__POLL_SECONDS": "1",
            "AIRFLOW__CODEBEAMER__LOCK_DELAY_SECONDS": "2",
            "SCHED_PROGRAM": str(program),
            **metrics.variables,
            **turns.connections,
        },
    ) as made:
        dag_ids = (TEMPLATE, "patient", "impatient", "careless", "queued", "in_turn")
        for dag_id in dag_ids:
            made.airflow.wait_for_dag(dag_id)
            made.airflow.rest.unpause(dag_id)
        yield made
        # What goes with PostgreSQL is left to the search for secrets.
        token = made.connection()["extra"]["token"]
        canary.used("scheduler", made.emulator.calls(), other=token)
        for name in ("DATABASE__SQL_ALCHEMY_CONN", "CODEBEAMER__LOCK_STORE"):
            address = made.airflow.environment[f"AIRFLOW__{name}"]
            postgres_server.dump(address, folder / "scheduler.rows")


@pytest.fixture(autouse=True)
def everything_as_before(stage: Stage) -> Iterator[None]:
    """Whatever a test does to a run: permissions come back byte by byte."""
    before = stage.permissions()
    stage.emulator.clear_calls()
    stage.emulator.clear_faults()
    yield
    stage.emulator.clear_faults()
    assert stage.permissions() == before
    assert stage.find_lock() is None


def settings_of(stage: Stage) -> Settings:
    """Return what somebody who is no Airflow needs to lock the tracker."""
    given = stage.connection()
    return Settings(
        server=ServerSettings(
            url=stage.emulator.url,
            login=given["login"],
            token=SecretStr(given["extra"]["token"]),
            exclusive_role=given["extra"]["exclusive_role"],
            requests_per_second=None,
            requests_per_minute=None,
        ),
        store=StoreSettings(
            url=SecretStr(stage.airflow.environment["AIRFLOW__CODEBEAMER__LOCK_STORE"])
        ),
    )


def trigger(stage: Stage, dag_id: str, generator: str, **arguments: Any) -> str:
    return stage.airflow.rest.trigger(
        dag_id,
        {
            "tracker_id": stage.tracker_id,
            "generator": f"sched_generators:{generator}",
            "arguments": arguments,
            "reason": "a test of the scheduler",
        },
    )


def wait(stage: Stage, dag_id: str, run_id: str) -> DagRun:
    return stage.airflow.rest.wait_for_run(dag_id, run_id, timeout_seconds=90)


def wait_for_items(stage: Stage, prefix: str, count: int) -> None:
    until = time.monotonic() + 60
    while len(items_of(stage, prefix)) < count:
        assert time.monotonic() < until, "the generator writes nothing"
        time.sleep(0.05)


def wait_for_state(stage: Stage, run_id: str, task_id: str, state: str) -> None:
    until = time.monotonic() + 60
    while stage.airflow.rest.get_run("patient", run_id).tasks[task_id] != state:
        assert time.monotonic() < until, f"{task_id} does not become {state}"
        time.sleep(0.2)


def wait_for_teardown(stage: Stage, run_id: str) -> None:
    """A run that was marked by hand may count as finished before its teardowns ran."""
    until = time.monotonic() + 60
    while True:
        run = stage.airflow.rest.get_run("patient", run_id)
        if run.tasks["verify"] in OVER:
            return
        assert time.monotonic() < until, run
        time.sleep(0.2)


def wait_for_end_of(stage: Stage, run_id: str, task_id: str = "generate") -> None:
    pid = stage.airflow.rest.find_pid("patient", run_id, task_id)
    until = time.monotonic() + 30
    while pid in stage.airflow.list_pids():
        assert time.monotonic() < until, f"{task_id} does not end"
        time.sleep(0.1)


def items_of(stage: Stage, prefix: str) -> list[dict[str, Any]]:
    return [item for item in stage.items() if item["name"].startswith(prefix)]


def slow_down(stage: Stage, seconds: float) -> None:
    stage.emulator.add_fault(
        {"kind": "delay", "operation": "createTrackerItem", "seconds": seconds}
    )


def test_the_template_fills_a_tracker(stage: Stage, metrics: Metrics) -> None:
    run_id = trigger(stage, TEMPLATE, "numbered", prefix="template:")
    run = wait(stage, TEMPLATE, run_id)

    assert run.state == "success", stage.airflow.last_lines()
    assert run.tasks == dict.fromkeys(
        ("plan", "reserve", "lock", "generate", "unlock", "verify"), "success"
    )
    items = items_of(stage, "template:")
    assert [item["name"] for item in items] == [
        "template:folder",
        *(f"template:{number}" for number in range(1, ITEMS)),
    ]
    summary = stage.airflow.rest.find_xcom(TEMPLATE, run_id, "generate")
    assert summary["created"] == ITEMS
    handle = stage.airflow.rest.find_xcom(TEMPLATE, run_id, "lock")
    assert handle["locks"][0]["state"] == "held"
    assert handle["owner"] == f"{TEMPLATE}/{run_id}"
    for task_id in ("lock", "generate", "unlock"):
        holder = stage.airflow.rest.find_xcom(TEMPLATE, run_id, task_id, "holder")
        assert holder["owner"] == handle["owner"]
        assert holder["reason"] == "a test of the scheduler"
        assert holder["since"] < holder["until"]
        links = stage.airflow.rest.find_links(TEMPLATE, run_id, task_id)
        assert links["Codebeamer tracker"].endswith(f"/tracker/{stage.tracker_id}")
        assert links["Holder of the lock"] == holder["link"]
    metrics.wait_for(
        "airflow.codebeamer.task.lock.success",
        "airflow.codebeamer.lock.taken",
        "airflow.codebeamer.items.created",
        "airflow.codebeamer.lock.released",
        "airflow.codebeamer.lock.held",
    )


def test_a_lock_without_teardown_is_warned_of_in_its_log(stage: Stage) -> None:
    run_id = stage.airflow.rest.trigger("careless", {"tracker_id": stage.tracker_id})
    assert wait(stage, "careless", run_id).state == "success"
    log = stage.airflow.rest.task_log("careless", run_id, "lock")
    assert "No teardown gives back what the task lock of the DAG careless" in log


def test_a_run_marked_failed_while_it_waits_is_failed(stage: Stage) -> None:
    """All that Airflow still runs of it goes well, but it did not do its work."""
    conf = {
        "tracker_id": stage.tracker_id,
        "generator": "sched_generators:numbered",
        "arguments": {"prefix": "never:"},
    }
    with connect(settings_of(stage)) as elsewhere:
        tracker = TrackerId(stage.tracker_id)
        elsewhere.engine.acquire(tracker, owner=Owner.here("alice"))
        try:
            run_id = stage.airflow.rest.trigger("patient", conf)
            wait_for_state(stage, run_id, "lock", "running")
            stage.airflow.rest.mark_run("patient", run_id, "failed")
            wait_for_teardown(stage, run_id)
        finally:
            elsewhere.engine.release(tracker, owner_key="alice")
    # Its process may take the lock even now; then it gives it back itself.
    wait_for_end_of(stage, run_id, "lock")
    run = wait(stage, "patient", run_id)
    assert run.state == "failed"
    assert run.tasks["lock"] == run.tasks["verify"] == "failed"
    assert run.tasks["unlock"] == "success"
    log = stage.airflow.rest.task_log("patient", run_id, "verify")
    assert "The run did not do its work: lock did not take its lock" in log
    assert items_of(stage, "never:") == []


@pytest.mark.trap("T26")
def test_a_generator_that_is_killed_leaves_nothing(stage: Stage) -> None:
    before = stage.items()
    permissions = stage.permissions()
    slow_down(stage, 0.4)
    run_id = trigger(stage, "patient", "numbered", prefix="killed:")
    wait_for_items(stage, "killed:", 1)
    pid = stage.airflow.rest.find_pid("patient", run_id, "generate")
    assert pid in stage.airflow.list_pids()
    assert stage.permissions() != permissions
    wait_for_items(stage, "killed:", 5)

    os.kill(pid, signal.SIGKILL)
    run = wait(stage, "patient", run_id)

    assert 5 <= created(stage) < ITEMS, "it was not killed in the middle"
    assert run.state == "failed"
    assert run.tasks["generate"] == "failed"
    assert run.tasks["unlock"] == run.tasks["verify"] == "success"
    assert stage.items() == before


def test_a_run_that_is_marked_failed_leaves_nothing(stage: Stage) -> None:
    before = stage.items()
    slow_down(stage, 0.4)
    run_id = trigger(stage, "patient", "numbered", prefix="marked:")
    wait_for_items(stage, "marked:", 5)

    stage.airflow.rest.mark_run("patient", run_id, "failed")
    wait_for_teardown(stage, run_id)
    run = wait(stage, "patient", run_id)

    assert run.state == "failed"
    assert run.tasks["unlock"] == run.tasks["verify"] == "success"
    assert 5 <= created(stage) < ITEMS, "it was not stopped in the middle"
    # The task's process outlives the release by up to ten seconds.
    wait_for_end_of(stage, run_id)
    assert stage.items() == before


def test_a_generator_that_raises_half_way_leaves_nothing(stage: Stage) -> None:
    before = stage.items()
    run_id = trigger(stage, "patient", "breaking")
    run = wait(stage, "patient", run_id)

    assert run.state == "failed"
    assert run.tasks["lock"] == "success"
    assert run.tasks["generate"] == "failed"
    assert run.tasks["unlock"] == "success"
    assert stage.items() == before
    log = stage.airflow.rest.task_log("patient", run_id, "generate")
    assert "the model ends in the middle" in log


def test_a_server_that_refuses_half_way_leaves_nothing(stage: Stage) -> None:
    before = stage.items()
    stage.emulator.add_fault(
        {
            "kind": "status",
            "operation": "createTrackerItem",
            "nth": 30,
            "status": 400,
        }
    )
    run_id = trigger(stage, "patient", "numbered", prefix="refused:")
    run = wait(stage, "patient", run_id)

    assert run.state == "failed"
    assert run.tasks["generate"] == "failed"
    assert run.tasks["unlock"] == "success"
    assert 29 <= created(stage) < ITEMS
    assert stage.items() == before


def test_of_two_runs_one_holds_and_the_other_waits_or_says_who(stage: Stage) -> None:
    slow_down(stage, 0.15)
    first = trigger(stage, "patient", "numbered", prefix="first:", count=40)
    wait_for_items(stage, "first:", 2)
    second = trigger(stage, "patient", "numbered", prefix="second:", count=10)
    third = trigger(stage, "impatient", "numbered", prefix="third:", count=10)

    refused = wait(stage, "impatient", third)
    assert refused.state == "failed"
    assert refused.tasks["lock"] == "failed"
    assert refused.tasks["generate"] == "upstream_failed"
    log = stage.airflow.rest.task_log("impatient", third, "lock")
    assert f"locked by patient/{first}" in log
    assert "for: a test of the scheduler" in log

    assert wait(stage, "patient", first).state == "success"
    assert wait(stage, "patient", second).state == "success"
    assert len(items_of(stage, "first:")) == 40
    assert len(items_of(stage, "second:")) == 10
    assert items_of(stage, "third:") == []
    times = created_at(stage)
    assert max(times["first:"]) < min(times["second:"]), "they wrote at the same time"


def queue_up(stage: Stage, elsewhere: Codebeamer, name: str, priority: int) -> str:
    """Trigger a run that waits; return its id when its task has left its worker."""
    before = len(elsewhere.queue.list_tickets())
    conf = {"tracker_id": stage.tracker_id, "priority": priority}
    run_id = stage.airflow.rest.trigger("queued", conf, run_id=name)
    until = time.monotonic() + 60
    while len(elsewhere.queue.list_tickets()) == before:
        assert time.monotonic() < until, f"{name} does not queue up"
        time.sleep(0.1)
    return run_id


def all_deferred(stage: Stage, runs: list[str]) -> None:
    until = time.monotonic() + 60
    rest = stage.airflow.rest
    while {rest.get_run("queued", one).tasks["lock"] for one in runs} != {"deferred"}:
        assert time.monotonic() < until, "not all of them wait"
        time.sleep(0.2)


@pytest.mark.nightly
def test_who_waits_is_served_in_order_and_takes_no_worker(stage: Stage) -> None:
    rest, tracker = stage.airflow.rest, TrackerId(stage.tracker_id)
    with connect(settings_of(stage)) as elsewhere:
        held = elsewhere.engine.acquire(tracker, owner=Owner.here("alice"))
        runs = [
            queue_up(stage, elsewhere, name, priority)
            for name, priority in (("early", 0), ("late", 0), ("urgent", 3))
        ]
        all_deferred(stage, runs)
        pool = rest.find_pool()
        assert pool["deferred_slots"] == 3
        assert pool["occupied_slots"] == pool["running_slots"] == 0
        pids = stage.airflow.list_pids()
        waiting = [rest.find_pid("queued", one, "lock") for one in runs]
        assert [pid for pid in waiting if pid in pids] == []

        conf = {"tracker_id": stage.tracker_id, "priority": 9}
        now = {**conf, "wait_for": "", "skip": True}
        hasty = wait(stage, "queued", rest.trigger("queued", now))
        assert (hasty.state, hasty.tasks["lock"]) == ("success", "skipped")

        tickets = elsewhere.queue.list_tickets()
        assert [ticket.owner.key for ticket in tickets] == IN_ORDER
        assert elsewhere.engine.release(tracker, owner_key="alice").released
        for one in runs:
            assert wait(stage, "queued", one).state == "success"
        events = elsewhere.status.history(held.server, tracker)
        order = [e.who for e in events if e.kind == "hold" and e.epoch > held.epoch]
    assert order == IN_ORDER


@pytest.mark.nightly
def test_who_lost_his_lock_is_refused_and_the_other_account_goes_on(
    stage: Stage, turns: Turns, tmp_path: Path
) -> None:
    before = turns.server.permissions(turns.tracker)
    conf: dict[str, Any] = {"tracker_id": turns.tracker, "arguments": {}}
    flag = tmp_path / "write-again"
    rest, tracker = stage.airflow.rest, TrackerId(turns.tracker)
    first = rest.trigger("in_turn", {**conf, "arguments": {"flag": str(flag)}})
    until = time.monotonic() + 60
    while turns.names() != [f"by {A}"]:
        assert time.monotonic() < until, rest.get_run("in_turn", first)
        time.sleep(0.1)
    with connect(turns.settings(stage)) as elsewhere:
        (lock,) = elsewhere.status.list_locks(turns.server.url)
        report = elsewhere.engine.break_lock(
            tracker, expect_epoch=lock.epoch, by="bob", reason="hangs", at_once=True
        )
    assert report.released
    assert turns.server.permissions(turns.tracker) == before
    flag.touch()
    lost = wait(stage, "in_turn", first)
    assert (tmp_path / "write-again.answer").read_text() == "403"
    assert lost.state == "failed"
    assert turns.names() == [], "the other account has undone it"

    turns.server.clear_calls()
    second = rest.trigger("in_turn", conf)
    assert wait(stage, "in_turn", second).state == "success"
    assert turns.names() == [f"by {B}", f"late, by {B}"]
    calls = turns.server.calls()
    wrote = [c for c in calls if c["operation"] == "createTrackerItem"]
    assert {c["user"] for c in wrote} == {B}
    assert turns.server.permissions(turns.tracker) == before


def created(stage: Stage) -> int:
    return sum(
        call["operation"] == "createTrackerItem" and call["status"] == 200
        for call in stage.emulator.calls()
    )


def created_at(stage: Stage) -> dict[str, list[str]]:
    """Return when the items of each prefix were created, by the emulator's clock."""
    found: dict[str, list[str]] = {}
    for item in stage.items():
        prefix = item["name"].partition(":")[0] + ":"
        found.setdefault(prefix, []).append(json.dumps(item["createdAt"]))
    return found
