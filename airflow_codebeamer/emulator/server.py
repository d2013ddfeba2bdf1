"""Emulator: a Codebeamer server in a thread of its own; `serve` for a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import signal
import threading
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from airflow_codebeamer.emulator.admin import CONTROL
from airflow_codebeamer.emulator.clock import stamp
from airflow_codebeamer.emulator.faults import UnmetFaultError
from airflow_codebeamer.emulator.releases import RELEASE
from airflow_codebeamer.emulator.remembered import Job
from airflow_codebeamer.emulator.routes.permissions import list_permissions
from airflow_codebeamer.emulator.shown import show_item
from airflow_codebeamer.emulator.wire import HOST, PREFIX, Wire
from airflow_codebeamer.emulator.world import Tracker, World

__all__ = ["Emulator", "serve"]

T = TypeVar("T")


class Emulator:
    """An emulated server for tests and demos: `with Emulator() as server`.

    It runs in a thread with an event loop of its own and listens on this machine
    only. Any number can live in one process without seeing each other. It keeps
    no files, unless `data` names one: then its world goes on where it stood.
    `prefix` is its context path, "" for a server at the root; `release` is the one
    that it behaves like, see `release_rules`.

    A fault that no call met is an error when the block ends without another one.

    Not promised: the same timing as a real server, or anything that
    `differences` lists.
    """

    def __init__(
        self,
        world: str | Path | dict[str, Any] = "demo",
        throttle: str = "off",
        latency_seconds: float = 0.0,
        port: int = 0,
        data: str | Path | None = None,
        *,
        prefix: str = PREFIX,
        release: str = RELEASE,
    ) -> None:
        kept_in = Path(data) if data is not None else None
        self._wire = Wire(
            world, throttle, latency_seconds, kept_in, prefix=prefix, release=release
        )
        self._wanted_port = port
        self._port = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Emulator:
        """Start, and return when requests are answered."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="codebeamer-emulator", daemon=True
        )
        self._thread.start()
        try:
            self._port = self._await(self._wire.start(self._wanted_port))
        except BaseException:
            self._await(self._wire.stop())
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, close every connection and end the thread.

        Raises:
            UnmetFaultError: A fault was never met, and nothing else went wrong.
        """
        unmet = self._do(self._wire.application.faults.unmet)
        self._await(self._wire.stop())
        self._end()
        if unmet and kind is None:
            raise UnmetFaultError(unmet)

    @property
    def url(self) -> str:
        """The base address, as one would configure it for a real server."""
        return f"http://{HOST}:{self._port}{self._wire.prefix}"

    @property
    def control_url(self) -> str:
        """The address of the control prefix."""
        return f"http://{HOST}:{self._port}{CONTROL}"

    def calls(self) -> list[dict[str, Any]]:
        """Return every request so far, oldest first."""
        return self._do(self._wire.application.calls.to_json)

    def clear_calls(self) -> None:
        """Forget the requests so far."""
        self._do(self._wire.application.calls.clear)

    def world(self) -> dict[str, Any]:
        """Return the whole world as JSON, the trash included."""
        return self._do(lambda: self._wire.application.world.dump())

    def load_world(self, world: str | dict[str, Any]) -> None:
        """Replace the world by a named one or by JSON."""
        self._do(lambda: self._wire.control.load(world))

    def assume(self, **switches: Any) -> None:
        """Turn assumption switches of the present world, see `differences`."""

        def turn() -> None:
            known = self._wire.application.world.assumptions
            unknown = sorted(set(switches) - set(known))
            if unknown:
                raise ValueError(f"There is no assumption {', '.join(unknown)}.")
            known.update(switches)
            self._wire.application.changed("assumptions", switches)

        self._do(turn)

    def add_fault(self, fault: dict[str, Any]) -> int:
        """Add a fault and return its number."""
        return self._do(lambda: self._wire.application.faults.add(fault).number)

    def remove_fault(self, number: int) -> None:
        """Forget one fault, by the number that adding it returned."""
        self._do(lambda: self._wire.application.faults.remove(number))

    def clear_faults(self) -> None:
        """Forget every fault."""
        self._do(self._wire.application.faults.clear)

    def faults(self) -> list[dict[str, Any]]:
        """Return every fault with how often it was met."""
        return self._do(self._wire.application.faults.to_json)

    def advance(self, seconds: float) -> None:
        """Move the emulator's clock."""

        def advance() -> None:
            clock = self._wire.application.clock
            clock.advance(seconds)
            self._wire.application.changed("clock", clock.dump())

        self._do(advance)

    def start_job(
        self, user: str, *steps: Mapping[str, Any], kind: str = "WORKING_SET_UPDATE"
    ) -> int:
        """Start a background job in somebody's name; return its number.

        Each step takes its `seconds` on the emulator's clock, and does its `request`
        (`method`, `path` from `/v3/`, `body`), if it has one, when they are over.
        """

        def start() -> int:
            application = self._wire.application
            world, now = application.world, application.clock.now()
            job = Job(
                id=world.next_id("job", 501),
                kind=kind,
                user=world.by_name[user].id,
                created_at=stamp(now),
                begins=now.timestamp(),
                steps=[
                    {"name": f"Step {nth}", **step} for nth, step in enumerate(steps, 1)
                ],
            )
            world.jobs[job.id] = job
            application.changed("job", vars(job))
            return job.id

        return self._do(start)

    def act(self, user: str, method: str, path: str, body: Any = None) -> int:
        """Do a request as somebody, without a socket or password; return its status.

        `path` starts at `/v3/`. It is written down like any other call.
        """
        request = {"user": user, "method": method, "path": path}
        if body is not None:
            request["body"] = body
        return self._do(lambda: self._wire.application.act(request).status)

    def permissions(self, tracker_id: int) -> str:
        """Return a tracker's permissions as one text that can be compared."""

        def look() -> str:
            world = self._wire.application.world
            shown = list_permissions(world, world.tracker(tracker_id))
            return json.dumps(
                [
                    {
                        "role": entry["role"]["name"],
                        "id": entry["role"]["id"],
                        "permissions": [
                            one["id"] for one in entry["trackerPermissions"]
                        ],
                    }
                    for entry in shown
                    if entry["trackerPermissions"]
                ]
            )

        return self._do(look)

    def items(self, tracker_id: int) -> list[dict[str, Any]]:
        """Return the items that are not in the trash, in the order of the outline."""

        def look() -> list[dict[str, Any]]:
            world = self._wire.application.world
            tracker = world.tracker(tracker_id)
            shown = _outline(world, tracker, tracker.children)
            copied: list[dict[str, Any]] = json.loads(json.dumps(shown))
            return copied

        return self._do(look)

    def _do(self, action: Callable[[], T]) -> T:
        """Run something where requests run, so that neither sees half of the other."""

        async def run() -> T:
            return action()

        return self._await(run())

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise RuntimeError("The emulator is not running; use `with Emulator()`.")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _end(self) -> None:
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


def _outline(
    world: World, tracker: Tracker, children: list[int]
) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = []
    for at, number in enumerate(children):
        item = world.items[number]
        shown.append(show_item(world, item, ordinal=at))
        shown += _outline(world, tracker, item.children)
    return shown


def serve(
    port: int = 0,
    world: str | Path | dict[str, Any] = "demo",
    throttle: str = "off",
    latency: float = 0.0,
    data: str | Path | None = None,
    *,
    prefix: str = PREFIX,
    release: str = RELEASE,
) -> None:
    """Run in the foreground until SIGINT or SIGTERM; the first line is the address.

    `latency` is in seconds. `data` names a file that keeps the world.
    """
    kept_in = Path(data) if data is not None else None
    with contextlib.suppress(KeyboardInterrupt):
        wire = Wire(world, throttle, latency, kept_in, prefix=prefix, release=release)
        asyncio.run(_serve(port, wire))


async def _serve(port: int, wire: Wire) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, ValueError):
            loop.add_signal_handler(name, ended.set)
    try:
        chosen = await wire.start(port)
        # What is there at the start stays: no collection needs to look at it again.
        gc.freeze()
        print(f"listening on http://{HOST}:{chosen}{wire.prefix}", flush=True)  # noqa: T201
        await ended.wait()
    finally:
        await wire.stop()
