"""The way of a `delegate` to the server: through us, at our pace, under our lock.

The program gets an address on this machine and a password that is good for this
run. Each request is sent on with the account's own credentials, which it never
sees; before each that may change something the lock is asked for. When we are
dead there is no relay, and nothing that the program does reaches the server.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from airflow_codebeamer.client import Client
from airflow_codebeamer.errors import CodebeamerError, LockLostError, TransportError
from airflow_codebeamer.generator.launchers.surroundings import Access

__all__ = ["open_relay"]

_PREFIX = "/cb"
_OPEN = ("/api/", "/rest/")
_READING = ("GET", "HEAD", "OPTIONS")
#: Headers that go back; the others speak of a connection that is not this one.
_BACK = ("content-type", "retry-after", "content-disposition", "location")
_LARGEST = 2**28
_LONGEST_REFERENCE = 2**16
#: How long a connection may be silent.
_SILENT_SECONDS = 120


@contextmanager
def open_relay(
    client: Client,
    guard: Callable[[], None],
    reach: Callable[[str], None] | None = None,
    started: Callable[[int, str], None] | None = None,
) -> Iterator[Access]:
    """Open a relay to the client's server; yields how to reach it.

    `guard` raises when nothing may be written any more. `reach` is given the path of
    each request that may change something, before that is sent on. `started` is told
    the number of each job that the server says it has begun, and its type.
    """
    secret = secrets.token_urlsafe(24)
    login = client.settings.login or "generator"
    server = _Server(client, guard, reach or _anywhere, login, secret)
    server.started = started or _no_matter
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield Access(
            url=f"http://127.0.0.1:{server.server_port}{_PREFIX}",
            login=login,
            password=secret,
            per_second=client.settings.requests_per_second,
            per_minute=client.settings.requests_per_minute,
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    started: Callable[[int, str], None]

    def __init__(
        self,
        client: Client,
        guard: Callable[[], None],
        reach: Callable[[str], None],
        login: str,
        secret: str,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.client = client
        self.guard = guard
        self.reach = reach
        pair = base64.b64encode(f"{login}:{secret}".encode()).decode()
        self.passes = (f"Basic {pair}", f"Bearer {secret}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _SILENT_SECONDS
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the server's own log has it."""

    def __getattr__(self, name: str) -> Callable[[], None]:
        # Every method there is, PATCH and whatever comes.
        if name.startswith("do_"):
            return self._relay
        raise AttributeError(name)

    def _relay(self) -> None:
        body = self._body()
        if body is None:
            self._answer(411, "send a Content-Length, at most 256 MiB")
        elif not self._may_enter():
            self._answer(401, "log in with CB_USERNAME and CB_PASSWORD_FILE")
        elif not self._path().startswith(_OPEN):
            self._answer(404, f"there is nothing but {' and '.join(_OPEN)} here")
        else:
            self._send_on(body)

    def _body(self) -> bytes | None:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return None
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > _LARGEST:
            return None
        return self.rfile.read(int(length))

    def _path(self) -> str:
        return self.path.removeprefix(_PREFIX)

    def _may_enter(self) -> bool:
        shown = self.headers.get("Authorization", "").encode()
        return any(
            hmac.compare_digest(shown, one.encode()) for one in self.server.passes
        )

    def _send_on(self, body: bytes) -> None:
        before = _nothing if self.command in _READING else self.server.guard
        kind = self.headers.get("Content-Type", "")
        try:
            if self.command not in _READING:
                self.server.reach(self._path())
            status, headers, answer = self.server.client.forward(
                self.command, self._path(), body, kind, before=before
            )
        except LockLostError as error:
            self._answer(403, str(error))
        except TransportError as error:
            self._answer(504, str(error))
        except CodebeamerError as error:
            self._answer(502, str(error))
        else:
            if self.command not in _READING:
                self._tell_job(answer)
            kept = {n: v for n, v in headers.items() if n.lower() in _BACK}
            self._reply(status, kept, answer)

    def _tell_job(self, answer: bytes) -> None:
        """Look whether an answer is a reference to a job (vendor: `JobReference`)."""
        if b'"jobId"' not in answer or len(answer) > _LONGEST_REFERENCE:
            return
        with suppress(ValueError, CodebeamerError):
            told = json.loads(answer)
            if isinstance(told, dict) and isinstance(told.get("jobId"), int):
                self.server.started(told["jobId"], str(told.get("jobType", "")))

    def _answer(self, status: int, message: str) -> None:
        text = json.dumps({"message": f"airflow-codebeamer: {message}"}).encode()
        if status in (401, 411):
            self.close_connection = True
        self._reply(status, {"Content-Type": "application/json"}, text)

    def _reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _nothing() -> None:
    pass


def _anywhere(_: str) -> None:
    pass


def _no_matter(job_id: int, kind: str) -> None:
    pass
