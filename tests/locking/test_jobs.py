"""Jobs that a server goes on with are over before anything is given back."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from airflow_codebeamer.client import Client
from airflow_codebeamer.locking import LockState
from airflow_codebeamer.settings import ServerSettings


class Jobs(ThreadingHTTPServer):
    """A server that has jobs and nothing else; what is not scripted is 404."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: dict[str, list[str]] = {}
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Jobs

    def do_GET(self) -> None:
        number = self.path.rpartition("/")[2]
        self.server.asked.append(number)
        states = self.server.script.get(number, [])
        state = states.pop(0) if len(states) > 1 else (states or [""])[0]
        body = json.dumps({"id": 1, "backgroundJobStatus": state}).encode()
        self.send_response(200 if state and "/job/" in self.path else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def jobs(bench: Any) -> Iterator[Any]:
    """Give the bench's engine the jobs of another server; the emulator has none."""
    server = Jobs()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    settings = ServerSettings(
        url=f"http://127.0.0.1:{server.server_port}/cb",
        login="generator",
        password="generator",
        requests_per_second=None,
        requests_per_minute=None,
    )
    with Client(settings, clock=bench.clock) as there:
        yield server, there.jobs
    server.shutdown()
    server.server_close()


def new_engine(bench: Any, jobs: Any) -> Any:
    client = bench.client()
    client.jobs = jobs[1]
    return bench.engine(client=client)


@pytest.fixture
def engine(bench: Any, jobs: Any) -> Any:
    return new_engine(bench, jobs)


class Looking(list[str]):
    """What is said; at each line it looks."""

    def __init__(self, look: Any) -> None:
        super().__init__()
        self._look = look

    def append(self, line: str) -> None:
        super().append(line)
        self._look(line)


@pytest.mark.trap("T36")
def test_nothing_is_given_back_before_a_job_is_over(bench, jobs, owner) -> None:
    server, _ = jobs
    server.script = {"7": ["NEW", "IN_PROGRESS", "IN_PROGRESS", "FINISHED"]}
    states: list[tuple[LockState, int]] = []

    def look(line: str) -> None:
        if "waiting for 1 job" in line:
            found = engine.parts.store.find(bench.server.url, bench.tracker)
            states.append((found.state, len(bench.server.calls())))

    bench.said = Looking(look)
    engine = new_engine(bench, jobs)
    lock = engine.acquire(bench.tracker, owner=owner)
    engine.register_job(lock, 7, "move")
    engine.register_job(lock, 7, "move")
    bench.server.clear_calls()
    began = bench.clock.monotonic()
    report = engine.release(bench.tracker, owner_key=owner.key)
    assert states == [(LockState.HELD, 0)] * 3
    assert report.released
    assert report.jobs == ()
    assert server.asked == ["7"] * 4
    assert bench.clock.monotonic() - began == 15


@pytest.mark.trap("T36")
def test_one_that_does_not_end_is_told_and_does_not_keep_the_tracker(
    bench, engine, jobs, owner
) -> None:
    before = bench.permissions()
    jobs[0].script = {"7": ["IN_PROGRESS"], "8": ["FINISHED"]}
    lock = engine.acquire(bench.tracker, owner=owner)
    for number in (7, 8, 9):
        engine.register_job(lock, number)
    report = engine.release(bench.tracker, owner_key=owner.key)
    [told] = report.jobs
    assert "job 7 of the server was not over (IN_PROGRESS)" in told
    assert bench.permissions() == before
    events = engine.parts.history.list_events(bench.server.url, bench.tracker)
    assert "jobs_unfinished" in [event.kind for event in events]


@pytest.mark.trap("T36")
def test_recovery_waits_for_the_jobs_of_the_dead(bench, engine, jobs, owner) -> None:
    jobs[0].script = {"7": ["IN_PROGRESS", "FINISHED"]}
    lock = engine.acquire(bench.tracker, owner=owner)
    engine.register_job(lock, 7)
    bench.pass_time(hours=1)
    client = bench.client()
    client.jobs = jobs[1]
    [done] = bench.recovery(client=client).recover()
    assert done.action == "recovered"
    assert jobs[0].asked == ["7", "7"]


def test_without_jobs_nothing_is_asked(bench, engine, jobs, owner) -> None:
    engine.acquire(bench.tracker, owner=owner)
    assert engine.release(bench.tracker, owner_key=owner.key).jobs == ()
    assert jobs[0].asked == []
