"""A server for what the emulator cannot say: garbage, broken wires, TLS."""

from __future__ import annotations

import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from airflow_codebeamer.client import Client
from airflow_codebeamer.clock import Clock, ManualClock
from airflow_codebeamer.emulator import Emulator
from airflow_codebeamer.settings import ServerSettings

#: What the server does with one request: writes to the handler what it likes.
Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: Any
    at_seconds: float


@dataclass
class Wire:
    """A server that answers as scripted; the last answer is repeated."""

    url: str = ""
    requests: list[Seen] = field(default_factory=list)
    accepted: int = 0

    @property
    def paths(self) -> list[str]:
        return [seen.path for seen in self.requests]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, wire: Wire, script: list[Answer], clock: Clock) -> None:
        self.wire, self.script, self.clock = wire, script, clock
        self.guard = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def get_request(self) -> Any:
        request = super().get_request()
        self.wire.accepted += 1
        return request

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: broken connections are what is asked for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10
    disable_nagle_algorithm = True
    server: _Server

    def _any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        seen = Seen(
            self.command,
            self.path,
            dict(self.headers.items()),
            json.loads(raw) if raw else None,
            self.server.clock.monotonic(),
        )
        with self.server.guard:
            self.server.wire.requests.append(seen)
            script = self.server.script
            answer = script.pop(0) if len(script) > 1 else script[0]
        answer(self)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_CONNECT = _any  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Write no log."""


def _scripted(answer: Any) -> Answer:
    if callable(answer):
        return answer
    status, headers, body = 200, {"Content-Type": "application/json"}, answer
    if isinstance(answer, tuple):
        status, body = answer[0], answer[1]
        headers = {**headers, **(answer[2] if len(answer) > 2 else {})}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(raw)))
        handler.end_headers()
        handler.wfile.write(raw)

    return write


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 3, 1, tzinfo=UTC))


@pytest.fixture
def serve(clock: ManualClock) -> Iterator[Callable[..., Wire]]:
    """Start a server: `serve(answer, …, tls=(certificate, key))`.

    An answer is a body for a 200, a tuple (status, body[, headers]), or a
    function of the handler.
    """
    running: list[_Server] = []

    def start(*script: Any, tls: tuple[Path, Path] | None = None) -> Wire:
        wire = Wire()
        server = _Server(wire, [_scripted(answer) for answer in script], clock)
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        running.append(server)
        scheme = "https" if tls else "http"
        wire.url = f"{scheme}://127.0.0.1:{server.server_port}/cb"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return wire

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture
def client_for(clock: ManualClock) -> Iterator[Callable[..., Client]]:
    """Build clients that are closed at the end: `client_for(url, **settings)`."""
    built: list[Client] = []

    def build(url: str, *, on: Clock | None = None, **changed: Any) -> Client:
        login = {} if "token" in changed else {"login": "bot", "password": "x-secret-x"}
        settings = ServerSettings(url=url, **{**login, **changed})
        built.append(Client(settings, clock=on or clock))
        return built[-1]

    yield build
    for client in built:
        client.close()


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(world="demo") as server:
        yield server


@pytest.fixture
def client(emulator: Emulator, client_for: Callable[..., Client]) -> Client:
    """The generator's own client on the demo world, as fast as it likes."""
    return client_for(
        emulator.url,
        login="generator",
        password="generator",
        requests_per_second=None,
        requests_per_minute=None,
    )


@pytest.fixture
def certify(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Write a self-signed certificate and its key: `certify(host, valid_days)`."""

    def write(host: str = "127.0.0.1", valid_days: int = 1) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
        begin = datetime.now(UTC) - timedelta(days=10)
        try:
            known_as: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            known_as = x509.DNSName(host)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(datetime.now(UTC) + timedelta(days=valid_days))
            .add_extension(x509.SubjectAlternativeName([known_as]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        paths = tmp_path / f"{host}.crt", tmp_path / f"{host}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return paths

    return write
