from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from airflow_codebeamer.client import Client
from airflow_codebeamer.emulator import DEMO_TRACKER_ID, Emulator
from airflow_codebeamer.errors import LockLostError
from airflow_codebeamer.generator.launchers import Access, open_relay
from airflow_codebeamer.settings import ServerSettings, Settings
from airflow_codebeamer.wiring import Codebeamer

ITEMS = f"/api/v3/trackers/{DEMO_TRACKER_ID}/items"
QUERY = {"queryString": f"tracker.id = {DEMO_TRACKER_ID}", "page": 1, "pageSize": 5}


def held() -> None:
    pass


def lost() -> None:
    raise LockLostError(DEMO_TRACKER_ID, expected=1, found=2, why="it was broken")


def ask(access: Access, method: str, path: str, **more: object) -> requests.Response:
    return requests.request(
        method,
        access.url + path,
        auth=(access.login, access.password),
        timeout=20,
        **more,  # type: ignore[arg-type]
    )


def test_requests_go_on_as_the_account_and_answers_come_back(
    server: Emulator, codebeamer: Codebeamer
) -> None:
    with open_relay(codebeamer.client, held) as access:
        made = ask(access, "POST", ITEMS, json={"name": "Ä"})
        assert made.json()["createdBy"]["name"] == "generator"
        name = ask(access, "GET", f"/api/v3/items/{made.json()['id']}").json()["name"]
        found = ask(access, "POST", "/api/v3/items/query", json=QUERY)
        gone = ask(access, "DELETE", f"/api/v3/items/{made.json()['id']}")
    assert (name, found.json()["total"]) == ("Ä", 1)
    assert gone.status_code in (200, 204)
    assert codebeamer.client.requests_made == len(server.calls()) == 4
    assert made.headers["Content-Type"].startswith("application/json")


def test_after_the_lock_nothing_is_written_and_reading_goes_on(
    server: Emulator, codebeamer: Codebeamer
) -> None:
    with open_relay(codebeamer.client, lost) as access:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            refused = ask(access, method, ITEMS, json={"name": "A"})
            assert refused.status_code == 403
            assert "it was broken" in refused.json()["message"]
        assert server.calls() == []
        assert ask(access, "GET", "/api/v3/projects").status_code == 200


def test_nobody_else_gets_in(server: Emulator, codebeamer: Codebeamer) -> None:
    with open_relay(codebeamer.client, held) as access:
        url = f"{access.url}/api/v3/projects"
        pair = base64.b64encode(b"generator:generator").decode()
        shown: list[Callable[[], dict[str, str]]] = [
            dict,
            lambda: {"Authorization": f"Basic {pair}"},
            lambda: {"Authorization": "Bearer generator"},
        ]
        for headers in shown:
            assert requests.get(url, headers=headers(), timeout=20).status_code == 401
        token = {"Authorization": f"Bearer {access.password}"}
        assert requests.get(url, headers=token, timeout=20).status_code == 200
        assert "generator" not in access.password
        other = f"{access.url}/../emulator/calls"
        assert requests.get(other, headers=token, timeout=20).status_code == 404
    assert len(server.calls()) == 1
    assert access.password not in repr(access)


def test_a_body_without_a_length_is_refused(codebeamer: Codebeamer) -> None:
    with open_relay(codebeamer.client, held) as access:
        refused = ask(access, "POST", ITEMS, data=iter([b"{}"]))
    assert refused.status_code == 411


def test_a_server_that_is_away_is_a_504(settings: Settings) -> None:
    away = settings.server.model_copy(update={"url": "http://127.0.0.1:9/cb"})
    with Client(away) as client, open_relay(client, held) as access:
        answer = ask(access, "GET", "/api/v3/projects")
    assert answer.status_code == 504
    assert access.password not in answer.text


class _Starting(BaseHTTPRequestHandler):
    """A server whose every answer is the reference of a job."""

    def do_POST(self) -> None:
        body = b'{"jobId": 12, "jobType": "WORKING_SET_UPDATE"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.mark.trap("T36")
def test_a_job_that_a_program_starts_is_told() -> None:
    away = ThreadingHTTPServer(("127.0.0.1", 0), _Starting)
    threading.Thread(target=away.serve_forever, args=(0.01,), daemon=True).start()
    settings = ServerSettings(
        url=f"http://127.0.0.1:{away.server_port}", login="a", password="b"
    )
    told: list[tuple[int, str]] = []

    def started(job_id: int, kind: str) -> None:
        told.append((job_id, kind))

    path = "/api/v3/jobs/working-set-update"
    with Client(settings) as client, open_relay(client, held, None, started) as access:
        assert ask(access, "GET", path).json()["jobId"] == 12
        assert told == []
        assert ask(access, "POST", path, json={}).json()["jobId"] == 12
    away.shutdown()
    away.server_close()
    assert told == [(12, "WORKING_SET_UPDATE")]
