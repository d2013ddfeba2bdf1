"""A tracker of 100,000 items: memory and own time of planning and applying.

The server is a process of its own, so that the numbers are ours alone: resident
size at its highest, and processor time of our process, both as the kernel counts.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airflow_codebeamer.emulator import ALL_PERMISSIONS, WorldBuilder

COUNT = 100_000
TASKS = ("unchanged", "update", "create", "stream")

#: A program of the kind `stream` that sends a document's lines as its items.
SENDER = """
import json, os, sys
with open(os.environ["CB_GEN_MESSAGES"], "w") as out, open(sys.argv[1]) as lines:
    def say(method, params):
        out.write(json.dumps({"cbgen": "1", "method": method, "params": params}))
        out.write("\\n")
    next(lines)
    for line in lines:
        say("item", json.loads(line))
    say("result", {})
"""


def world(count: int) -> tuple[dict[str, Any], int]:
    """Return a world with a tracker of folders of 100 items, made by our account."""
    builder = WorldBuilder()
    builder.user("bond", system_admin=True)
    account = builder.user("generator")
    project = builder.project("Bench", "BENCH")
    role = builder.role(project, "Generator", trackers_admin=True)
    builder.member(project, account, role)
    tracker = builder.tracker(project, "T", "T", permissions={role: ALL_PERMISSIONS})
    above: int | None = None
    for number in range(count):
        made = builder.item(
            tracker,
            f"Signal {number}",
            fields={"External ID": f"k{number}", "Unit": "m", "Length": number % 64},
            parent=above if number % 100 else None,
            created_by=account,
        )
        if number % 100 == 0:
            above = made
    return builder.build(), tracker


def write_document(path: Path, tracker: int, count: int, unit: str) -> None:
    """Write the document as JSON lines."""
    head = {"owner": "bench", "target": {"tracker": tracker}}
    with path.open("w") as file:
        file.write(json.dumps(head) + "\n")
        for number in range(count):
            item: dict[str, Any] = {
                "key": f"k{number}",
                "name": f"Signal {number}",
                "fields": {"Unit": unit, "Length": number % 64},
            }
            if number % 100:
                item["parent"] = f"k{number - number % 100}"
            file.write(json.dumps(item) + "\n")


@contextmanager
def serving(path: Path) -> Iterator[str]:
    """Serve a world in a process of its own; yields its address."""
    command = [sys.executable, "-m", "airflow_codebeamer.cli", "emulator", "serve"]
    with subprocess.Popen(
        [*command, "--port", "0", "--world", str(path)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield line.removeprefix("listening on ").strip()
        finally:
            process.terminate()


def work(task: str, url: str, path: str, store: str, tracker: int) -> None:
    """Do one task in this process, and say what it took."""
    from airflow_codebeamer.ids import TrackerId
    from airflow_codebeamer.locking import Owner
    from airflow_codebeamer.settings import ServerSettings, Settings, StoreSettings
    from airflow_codebeamer.skeleton import load_document
    from airflow_codebeamer.wiring import connect

    settings = Settings(
        server=ServerSettings.model_validate(
            {
                "url": url,
                "login": "generator",
                "password": "generator",
                "exclusive_role": "Generator",
                "requests_per_second": None,
                "requests_per_minute": None,
                "read_timeout_seconds": 600,
            }
        ),
        store=StoreSettings.model_validate({"url": store}),
    )
    began, cpu = time.perf_counter(), time.process_time()
    number = TrackerId(tracker)
    with connect(settings) as codebeamer:
        what: Any = sender(path) if task == "stream" else load_document(Path(path))
        document, wanted = codebeamer.runner.plan(what, {}, number)
        planned = time.process_time() - cpu
        if not wanted.is_empty:
            lock = codebeamer.engine.acquire(number, owner=Owner("bench"))
            codebeamer.runner.apply(
                document, {}, number, lock, run_key="bench", planned=wanted
            )
            codebeamer.engine.release(number, owner_key="bench")
        requests = codebeamer.client.requests_made
    facts = {
        "task": task,
        "counts": {name: n for name, n in wanted.counts.items() if n},
        "requests": requests,
        "own_seconds_of_planning": round(planned, 1),
        "own_seconds": round(time.process_time() - cpu, 1),
        "seconds": round(time.perf_counter() - began, 1),
        "resident_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    sys.stdout.write(json.dumps(facts) + "\n")


def sender(path: str) -> dict[str, Any]:
    """Return the program that sends the items of a file."""
    return {"command": [sys.executable, "-c", SENDER, path], "kind": "stream"}


def measure(tasks: list[str], count: int) -> Iterator[dict[str, Any]]:
    """Do each task in a process of its own, on a server that was just started."""
    with TemporaryDirectory() as folder:
        place = Path(folder)
        full, tracker = world(count)
        empty, _ = world(0)
        for task in tasks:
            path = place / "world.json"
            path.write_text(json.dumps(empty if task == "create" else full))
            document = place / "document.jsonl"
            unit = "km" if task in ("update", "stream") else "m"
            write_document(document, tracker, count, unit)
            with serving(path) as url:
                store = f"sqlite:///{place / f'{task}.db'}"
                command = [sys.executable, "-m", "tests.bench.large", "--work", task]
                done = subprocess.run(
                    [*command, url, str(document), store, str(tracker)],
                    stdout=subprocess.PIPE,
                    text=True,
                    check=True,
                )
            yield json.loads(done.stdout)


def main() -> None:
    """Measure and print, or do one task."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work")
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("rest", nargs="*")
    given = parser.parse_args()
    if given.work:
        url, path, store, tracker = given.rest
        work(given.work, url, path, store, int(tracker))
        return
    for facts in measure(given.rest or list(TASKS), given.count):
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
