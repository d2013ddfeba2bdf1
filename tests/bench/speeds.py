"""The emulator's own speed: small reads, a large world, a page of full items.

One emulator process, asked by eight connections of another process; the page and
the start are timed on a world of 100,000 items. Best of several, since other
work on the machine is not the emulator's.
"""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import requests

from airflow_codebeamer.emulator import DEMO_TRACKER_ID, demo_world

CONNECTIONS = 8
ITEMS = 100_000
PAGE = 500
FIRST = 6
SMALL_READS = {
    "an item": "/api/v3/items/10001",
    "the projects": "/api/v3/projects",
    "a tracker": "/api/v3/trackers/2002",
}


@dataclass(frozen=True)
class Speed:
    """One figure, with what was asked of it."""

    what: str
    measured: float
    unit: str
    wanted: str
    is_enough: bool


def speeds() -> list[Speed]:
    """Measure everything."""
    return [*_small_reads(), *_large_world()]


@contextmanager
def _served(world: str, *, started: list[float]) -> Iterator[tuple[str, int]]:
    code = (
        "import sys; from pathlib import Path; path = Path(sys.argv[1])\n"
        "from airflow_codebeamer.emulator import serve\n"
        "serve(world=path if path.is_file() else 'demo')"
    )
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", code, world], stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdout is None:
            raise SystemExit("no output")
        try:
            url = process.stdout.readline().split()[-1]
            requests.get(f"{url}/api/v3/projects", timeout=60)
            started.append(time.perf_counter() - began)
            yield url, process.pid
        finally:
            process.terminate()


def _small_reads() -> Iterator[Speed]:
    with _served("demo", started=[]) as (url, number):
        process = psutil.Process(number)
        for what, path in SMALL_READS.items():
            best, of_cpu = 0.0, 0.0
            for _ in range(3):
                busy = sum(process.cpu_times()[:2])
                count, seconds = asyncio.run(_read(url, path, 1.5))
                used = sum(process.cpu_times()[:2]) - busy
                best = max(best, count / seconds)
                of_cpu = max(of_cpu, count / used)
            yield Speed(
                f"reads of {what}, {CONNECTIONS} connections",
                round(best),
                "a second",
                ">= 1,500",
                best >= 1500,
            )
            yield Speed(
                f"reads of {what}, by the emulator's own processor time",
                round(of_cpu),
                "a second",
                ">= 1,500",
                of_cpu >= 1500,
            )


async def _read(url: str, path: str, seconds: float) -> tuple[int, float]:
    host, _, port = url.split("/")[2].partition(":")
    basic = base64.b64encode(b"alice:alice").decode()
    lines = (
        f"GET /cb{path} HTTP/1.1",
        "Host: emulator",
        f"Authorization: Basic {basic}",
    )
    request = ("\r\n".join([*lines, "Accept: application/json"]) + "\r\n\r\n").encode()
    began = time.perf_counter()

    async def connection() -> int:
        reader, writer = await asyncio.open_connection(host, int(port))
        count = 0
        while time.perf_counter() - began < seconds:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"{path} answered {head!r}")
            length = head.lower().partition(b"content-length:")[2].split(b"\r")[0]
            await reader.readexactly(int(length))
            count += 1
        writer.close()
        await writer.wait_closed()
        return count

    counts = await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return sum(counts), time.perf_counter() - began


def _large_world() -> Iterator[Speed]:
    """Time the start, the first page of a query, and the pages that follow."""
    started: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "world.json"
        file.write_text(json.dumps(_world()))
        for _ in range(2):
            with _served(str(file), started=started) as (url, number):
                process = psutil.Process(number)
                used = sum(process.cpu_times()[:2])
                pages = list(_pages(url, process))
    best = min(started)
    yield Speed(f"start with {ITEMS:,} items", round(best, 2), "s", "< 10", best < 10)
    yield Speed(
        "the same, by its own processor time", round(used, 2), "s", "< 10", used < 10
    )
    for what, times in (("first page", pages[:FIRST]), ("next page", pages[FIRST:])):
        wall = min(one for one, _ in times) * 1000
        own = min(one for _, one in times) * 1000
        named = f"{what} of {PAGE} full items out of {ITEMS:,}"
        yield Speed(named, round(wall, 1), "ms", "< 60", wall < 60)
        yield Speed(
            "the same, by its own processor time", round(own), "ms", "< 60", own < 60
        )


def _pages(url: str, process: psutil.Process) -> Iterator[tuple[float, float]]:
    """Yield seconds, of the wall's clock and of the processor, for each page."""
    text = f"tracker.id IN ({DEMO_TRACKER_ID})"
    with requests.Session() as session:
        session.auth = ("alice", "alice")
        for number in range(4 * FIRST):
            # A query that was never asked before, then the pages of one.
            page = max(1, number - FIRST)
            query = text + " " * (FIRST - number if number < FIRST else 0)
            body = {"queryString": query, "pageSize": PAGE, "page": page}
            busy, began = sum(process.cpu_times()[:2]), time.perf_counter()
            answer = session.post(f"{url}/api/v3/items/query", json=body, timeout=60)
            seconds = time.perf_counter() - began
            if len(answer.json()["items"]) != PAGE:
                raise SystemExit("the page is not full")
            yield seconds, sum(process.cpu_times()[:2]) - busy


def _world() -> dict[str, Any]:
    """Return the demo's world with items of ten fields, folders of a hundred."""
    world = demo_world()
    pattern = world["items"][1]
    values = {
        **pattern["values"],
        "80": "What the signal means. " * 4,
        "10001": "vw_mqb/Message/Signal",
        "10002": "km/h",
        "10004": 0.01,
        "10008": 12,
    }
    tracker = next(one for one in world["trackers"] if one["id"] == DEMO_TRACKER_ID)
    for number in range(100_000, 100_000 + ITEMS):
        folder = number - number % 100
        top = number == folder
        item = {**pattern, "id": number, "tracker": DEMO_TRACKER_ID, "values": values}
        item["history"] = [{**pattern["history"][0], "values": values}]
        item["parent"] = None if top else folder
        item["children"] = list(range(folder + 1, folder + 100)) if top else []
        world["items"].append(item)
        if top:
            tracker["children"].append(number)
    return world
