"""Wire: requests from sockets to the application and back, faults included."""

from __future__ import annotations

import asyncio
import json
import math
import re
import socket
import struct
from pathlib import Path
from typing import Any

from aiohttp import web

from airflow_codebeamer.emulator.admin import CONTROL, Control
from airflow_codebeamer.emulator.app import Application
from airflow_codebeamer.emulator.describe import openapi
from airflow_codebeamer.emulator.keeping import KeptWorld
from airflow_codebeamer.emulator.releases import RELEASE
from airflow_codebeamer.emulator.seeds import named_world
from airflow_codebeamer.emulator.step import Answer, Asked
from airflow_codebeamer.emulator.world import World

__all__ = ["HOST", "PREFIX", "Wire"]

HOST = "127.0.0.1"
PREFIX = "/cb"
"""The context path of a usual installation; others are served at the root."""
_MOST_BYTES = 64 * 1024 * 1024
_LOOK_SECONDS = 0.05
_GARBAGE = b"\x00\xffnot http at all\r\n\r\n"


class Wire:
    """Carries requests to the application and answers back, faults included."""

    def __init__(
        self,
        world: str | Path | dict[str, Any],
        throttle: str,
        latency_seconds: float,
        kept_in: Path | None = None,
        *,
        prefix: str = PREFIX,
        release: str = RELEASE,
    ) -> None:
        self.prefix = _checked(prefix)
        # As text: whoever gave the world may change his.
        text = _text(world)
        self.application = Application(
            World.parse(text), throttle, api=f"{self.prefix}/api", release=release
        )
        self.control = Control(self.application, text)
        self._kept = KeptWorld(kept_in, self.application) if kept_in else None
        self._latency_seconds = latency_seconds
        self._runner: web.ServerRunner | None = None

    async def start(self, port: int) -> int:
        """Listen; return the port, which the system chooses for 0."""
        if self._kept is not None:
            self._kept.open()
        self._runner = web.ServerRunner(
            web.Server(self._handle, request_factory=_request, access_log=None),
            shutdown_timeout=0.2,
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, port)
        await site.start()
        address: tuple[str, int] = self._runner.addresses[0]
        return address[1]

    async def stop(self) -> None:
        """Stop listening and close every connection."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._kept is not None:
            self._kept.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read() if request.body_exists else b""
        path = request.path
        if path.startswith(f"{CONTROL}/"):
            return _response(self.control.answer(request.method, path, body))
        described = path == f"{self.prefix}/api-docs/v3.json"
        if described and request.method == "GET":
            url = f"http://{request.host}{self.application.api}"
            text = json.dumps(openapi(self.application.contract, url))
            return _response(Answer(body=text.encode()))
        headers = request.headers
        step = self.application.begin(
            Asked(
                request.method,
                path,
                request.query_string,
                headers.get("Authorization", ""),
                headers.get("Accept", ""),
                body,
                headers.get("Content-Type", ""),
            )
        )
        wait = self._latency_seconds + step.delay
        if wait:
            await asyncio.sleep(wait)
        if step.is_reset:
            step.entry["fault"] = "reset"
            return _cut(request)
        if step.stall is not None:
            step.entry["fault"] = "stall"
            return await _stall(request, step.stall.seconds)
        answer = self.application.finish(step)
        if step.late_delay:
            await asyncio.sleep(step.late_delay)
        if answer.spoiled == "stall":
            _send_half(request, answer)
            return await _stall(request, answer.stall_seconds)
        if answer.spoiled:
            return _spoil(request, answer)
        return _response(answer)


def _checked(prefix: str) -> str:
    """Return a prefix that starts with a slash and ends without, "" for the root."""
    path = prefix.strip("/")
    if path.split("/")[0] == CONTROL.strip("/") or not re.fullmatch(r"[\w./-]*", path):
        raise ValueError(f"The API cannot be served below {prefix!r}.")
    return f"/{path}" if path else ""


def _text(world: str | Path | dict[str, Any]) -> str:
    if isinstance(world, Path):
        return world.read_text("utf-8")
    return json.dumps(named_world(world) if isinstance(world, str) else world)


def _request(
    message: Any, payload: Any, protocol: Any, writer: Any, task: Any
) -> web.BaseRequest:
    """Make a request that may be as large as a bulk update."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(
        message, payload, protocol, writer, task, loop, client_max_size=_MOST_BYTES
    )


def _response(answer: Answer) -> web.Response:
    if not answer.body:
        return web.Response(status=answer.status, headers=answer.headers)
    return web.Response(
        status=answer.status,
        body=answer.body,
        content_type=answer.content_type,
        headers=answer.headers,
    )


def _cut(request: web.BaseRequest) -> web.Response:
    """Reset the connection, so that the client reads no answer at all."""
    transport = request.transport
    if transport is not None:
        peer: socket.socket | None = transport.get_extra_info("socket")
        if peer is not None:
            linger = struct.pack("ii", 1, 0)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    return web.Response()


def _spoil(request: web.BaseRequest, answer: Answer) -> web.Response:
    """Do to an answer, on the socket, what a fault asks for."""
    transport = request.transport
    if transport is None or not isinstance(transport, asyncio.Transport):
        return web.Response()
    if answer.spoiled == "drop_answer":
        return _cut(request)
    if answer.spoiled == "garbage":
        transport.write(_GARBAGE)
    elif answer.spoiled == "truncate":
        _send_half(request, answer)
    # Nothing at all for "empty": the connection just ends.
    transport.close()
    return web.Response()


def _send_half(request: web.BaseRequest, answer: Answer) -> None:
    """Promise a whole answer, and send its first half."""
    transport = request.transport
    if isinstance(transport, asyncio.Transport):
        head = f"HTTP/1.1 {answer.status} OK\r\nContent-Type: {answer.content_type}\r\n"
        size = f"Content-Length: {max(2, len(answer.body))}\r\n\r\n"
        transport.write((head + size).encode() + answer.body[: len(answer.body) // 2])


async def _stall(request: web.BaseRequest, seconds: float) -> web.Response:
    """Send nothing more until the time is up, or the client leaves; then cut."""
    end = asyncio.get_running_loop().time() + (seconds or math.inf)
    while asyncio.get_running_loop().time() < end:
        if request.transport is None or request.transport.is_closing():
            break
        await asyncio.sleep(min(_LOOK_SECONDS, seconds or _LOOK_SECONDS))
    return _cut(request)
