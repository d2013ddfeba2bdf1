from __future__ import annotations

import doctest
import io
import threading

import pytest
import requests
from requests.adapters import BaseAdapter

from airflow_codebeamer import client as door
from airflow_codebeamer.client import Client
from airflow_codebeamer.client.transport import Transport
from airflow_codebeamer.clock import ManualClock
from airflow_codebeamer.emulator import Emulator
from airflow_codebeamer.settings import ServerSettings


def settings(url):
    return ServerSettings(url=url, login="generator", password="generator")


def test_the_example_in_the_docstring_is_true():
    import airflow_codebeamer.client.client as module

    assert doctest.testmod(module).failed == 0


def test_the_door_is_complete():
    assert len(door.__all__) == len(set(door.__all__))
    assert all(hasattr(door, name) for name in door.__all__)


def test_nothing_is_dialled_before_the_first_call():
    with Client(settings("http://nowhere.invalid/cb")) as client:
        assert client.requests_made == 0


def test_a_closed_client_opens_again(emulator):
    with Client(settings(emulator.url)) as client:
        client.projects.list_projects()
    client.projects.list_projects()
    client.close()

    assert client.requests_made == 2


def test_requests_are_counted_over_all_threads(client, emulator):
    threads = [
        threading.Thread(
            target=lambda: [client.projects.list_projects() for _ in range(10)]
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert client.requests_made == len(emulator.calls()) == 80


def test_repeated_requests_are_counted(client, emulator):
    emulator.add_fault({"kind": "reset", "operation": "getProjects", "times": 2})

    client.projects.list_projects()

    assert client.requests_made == len(emulator.calls()) == 3


class SharedClock(ManualClock):
    """Our time and the emulator's are one."""

    server: Emulator

    def advance(self, seconds):
        super().advance(seconds)
        self.server.advance(seconds)


@pytest.mark.parametrize("own_pace", [True, False])
def test_a_throttling_server_is_obeyed(own_pace):
    """At its own pace the client is hardly ever turned away; without, it obeys."""
    clock = SharedClock()
    pace = (
        {} if own_pace else {"requests_per_second": None, "requests_per_minute": None}
    )
    with Emulator(world="demo", throttle="3/s,120/m") as emulator:
        clock.server = emulator
        with Client(
            settings(emulator.url).model_copy(update=pace), clock=clock
        ) as client:
            for _ in range(20):
                client.projects.list_projects()

        statuses = [call["status"] for call in emulator.calls()]

    assert statuses.count(200) == 20
    assert (429 in statuses) is not own_pace
    assert clock.monotonic() >= 5.9


def test_requests_travel_as_the_transport_wants():
    asked = []

    class Echo(BaseAdapter):
        def send(self, request, *args, **kwargs):
            asked.append(request.url)
            response = requests.Response()
            response.status_code = 200
            response.raw = io.BytesIO(b"[]")
            return response

        def close(self):
            asked.append("closed")

    transport = Transport(
        settings("http://nowhere.invalid/cb"), ManualClock(), adapter=Echo()
    )
    with Client(settings("http://nowhere.invalid/cb"), transport=transport) as client:
        assert client.projects.list_projects() == []
        assert client.requests_made == 1
    assert asked[0] == "http://nowhere.invalid/cb/api/v3/projects"
    assert "closed" in asked
