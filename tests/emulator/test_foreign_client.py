"""A public client that none of us wrote reads from the emulator, unchanged (M18).

`lobster-codebeamer` (BMW, AGPL) runs in a process of its own. It wants https, so
a tunnel with a certificate of the minute stands before the emulator.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from airflow_codebeamer.emulator import DEMO_STAKEHOLDER_ID, Emulator
from tests.contracts.generating import installed

PINS = Path(__file__).parents[1] / "contracts" / "foreign-client.txt"

pytestmark = pytest.mark.skipif(
    "CODEBEAMER_FOREIGN_CLIENTS" not in os.environ,
    reason="installs a client of other people: set CODEBEAMER_FOREIGN_CLIENTS, or"
    " `make fuzz`",
)


def certificate(folder: Path) -> ssl.SSLContext:
    """Return a server's context with a certificate for this machine, for today."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = folder / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    pem.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


@pytest.fixture
def tunnel(server: Emulator, tmp_path: Path) -> Iterator[str]:
    """An https address that leads to the emulator."""
    target = int(server.url.split(":")[2].split("/")[0])
    loop = asyncio.new_event_loop()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to, back = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(pour(reader, back), pour(to, writer))

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    opened = asyncio.run_coroutine_threadsafe(
        asyncio.start_server(carry, "127.0.0.1", 0, ssl=certificate(tmp_path)), loop
    ).result(20)
    yield f"https://localhost:{opened.sockets[0].getsockname()[1]}/cb"

    async def end() -> None:
        opened.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(end(), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def lobster(folder: Path, root: str, password: str, pages: int) -> tuple[int, str]:
    (folder / "config.yaml").write_text(
        f"root: {root}\nuser: alice\npass: {password}\npage_size: {pages}\n"
        f"import_query: 'tracker.id IN ({DEMO_STAKEHOLDER_ID})'\n"
        f"verify_ssl: {folder / 'certificate.pem'}\n"
        "schema: Requirement\nnum_request_retry: 2\n"
    )
    code = (
        "from lobster.tools.codebeamer.codebeamer import main; raise SystemExit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--config", "config.yaml", "--out", "out.lobster"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(installed(PINS))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_lobster_reads_every_item_page_by_page(
    server: Emulator, tunnel: str, tmp_path: Path
) -> None:
    code, told = lobster(tmp_path, tunnel, "alice", pages=2)
    assert code == 0, told
    found = json.loads((tmp_path / "out.lobster").read_text())["data"]
    wanted = {item["name"] for item in server.items(DEMO_STAKEHOLDER_ID)}
    assert {one["name"] for one in found} == wanted
    assert len(wanted) == 7
    asked = [call["operation"] for call in server.calls() if call["status"] == 200]
    assert asked == ["findTrackerItems"] * 4


def test_lobster_is_told_that_its_password_is_wrong(
    server: Emulator, tunnel: str, tmp_path: Path
) -> None:
    code, told = lobster(tmp_path, tunnel, "wrong", pages=2)
    assert code != 0
    assert "401" in told
    assert {call["status"] for call in server.calls()} == {401}
