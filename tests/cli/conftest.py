"""A server, a store of our own, and the command: called, or as a real process."""

from __future__ import annotations

import io
import ipaddress
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
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

from airflow_codebeamer.cli import main
from airflow_codebeamer.emulator import Emulator, demo_world

SMALL = """
owner: tests
target: {project: BRK, tracker: SYSREQ}
items:
  - key: folder
    name: Folder
    type: Folder
    children:
      - {key: one, name: One, fields: {Unit: bar, Factor: 0.5}}
      - {key: two, name: Two, fields: {ASIL: D}}
"""


@dataclass
class Ran:
    """One process that has ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


@dataclass
class Commands:
    """Runs `airflow-codebeamer` against one server and one store."""

    url: str
    store: str
    secret: str = field(repr=False)
    transcript: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        """Return our variables for a command."""
        return {
            "CODEBEAMER_URL": self.url,
            "CODEBEAMER_USER": "generator",
            "CODEBEAMER_PASSWORD": self.secret,
            "CODEBEAMER_LOCK_STORE": self.store,
            "CODEBEAMER_EXCLUSIVE_ROLE": "Generator",
            "CODEBEAMER_REQUESTS_PER_SECOND": "0",
            "CODEBEAMER_REQUESTS_PER_MINUTE": "0",
            **self.env,
        }

    def environment(self, **changes: str) -> dict[str, str]:
        """Return the environment of a process: the machine's without ours."""
        bare = {k: v for k, v in os.environ.items() if not k.startswith("CODEBEAMER_")}
        given = {**self.variables, "PYTHONWARNINGS": "error", **changes}
        return {**bare, **{k: v for k, v in given.items() if v}}

    def start(self, *args: str, **changes: str) -> subprocess.Popen[str]:
        """Start a command as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "airflow_codebeamer.cli", *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment(**changes),
        )

    def process(self, *args: str, **changes: str) -> Ran:
        """Run a command to its end as a process of its own."""
        process = self.start(*args, **changes)
        out, err = process.communicate(timeout=120)
        return self._kept(Ran(process.returncode, out, err))

    def run(self, *args: str, **changes: str) -> Ran:
        """Run a command to its end in this process, which is much quicker."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.transcript.parent)
            for name, value in {**self.variables, **changes}.items():
                patch.setenv(name, value)
            with redirect_stdout(out), redirect_stderr(err):
                code = main(args)
        return self._kept(Ran(code, out.getvalue(), err.getvalue()))

    def _kept(self, ran: Ran) -> Ran:
        """Leave what a command said to the search for secrets."""
        with self.transcript.open("a") as file:
            file.write(f"{ran.code}\n{ran.out}\n{ran.err}\n")
        return ran

    def json(self, *args: str, **changes: str) -> Any:
        """Run a command that must succeed; return its document."""
        ran = self.run(*args, "--json", **changes)
        assert ran.code == 0, ran.err + ran.out
        return ran.document


@pytest.fixture
def server(canary: Any) -> Iterator[Emulator]:
    with Emulator(world=canary.world(demo_world())) as emulator:
        yield emulator
        canary.used("cli", emulator.calls())


@pytest.fixture
def commands(server: Emulator, tmp_path: Path, canary: Any) -> Commands:
    store = f"sqlite:///{tmp_path / 'locks.db'}"
    return Commands(server.url, store, canary.secret, tmp_path / "transcript.txt")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


@pytest.fixture
def writes(server: Emulator) -> Any:
    """Return a function: every call so far that changed something or would have."""

    def list_writes() -> list[str]:
        return [
            f"{call['method']} {call['path']}"
            for call in server.calls()
            if call["method"] != "GET"
            and not call["path"].endswith(("/query", "/search"))
        ]

    return list_writes


class _Web(BaseHTTPRequestHandler):
    """A web server that was never a Codebeamer."""

    def _greet(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Welcome</title>")

    do_GET = do_POST = do_PUT = _greet  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Write no log."""


class _WebServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: a client that does not trust us hangs up."""


@pytest.fixture
def web() -> Iterator[Callable[..., str]]:
    """Return a function that starts a web server, with TLS if it has a certificate."""
    running: list[_WebServer] = []

    def start(certificate: Path | None = None) -> str:
        server = _WebServer(("127.0.0.1", 0), _Web)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        running.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}/cb"

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture
def self_signed(tmp_path: Path) -> Path:
    """Return a file with a certificate that nobody signed, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "self-signed.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file
