from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from airflow_codebeamer.emulator import DEMO_STAKEHOLDER_ID, Emulator

Ask = Callable[..., requests.Response]


@pytest.fixture
def server() -> Iterator[Emulator]:
    """The demo world on a port of its own."""
    with Emulator() as running:
        yield running


@pytest.fixture
def asking() -> Iterator[Callable[[Emulator], Ask]]:
    """Make a function that asks one server: ask(user, method, path, body, **query)."""
    session = requests.Session()
    session.headers["Accept"] = "application/json"

    def at(running: Emulator) -> Ask:
        def ask(
            user: str | None, method: str, path: str, body: Any = None, **query: Any
        ) -> requests.Response:
            # bond/wrong is a user with another password than his name.
            name, _, password = (user or "").partition("/")
            return session.request(
                method,
                f"{running.url}/api/v3{path}",
                json=body,
                params=query,
                auth=(name, password or name) if user else None,
                timeout=20,
            )

        return ask

    yield at
    session.close()


@pytest.fixture
def ask(server: Emulator, asking: Callable[[Emulator], Ask]) -> Ask:
    """Ask the demo server."""
    return asking(server)


@pytest.fixture
def control(server: Emulator) -> Iterator[Ask]:
    """Ask the control prefix: control(method, path, body)."""
    session = requests.Session()

    def ask_control(method: str, path: str, body: Any = None) -> requests.Response:
        return session.request(
            method, f"{server.control_url}/{path}", json=body, timeout=20
        )

    yield ask_control
    session.close()


@pytest.fixture
def form(server: Emulator) -> Iterator[Ask]:
    """Send a form: form(user, method, path, texts, *files)."""
    session = requests.Session()

    def send(
        user: str,
        method: str,
        path: str,
        texts: dict[str, str] | None = None,
        *files: tuple[str, tuple[str | None, bytes, str]],
    ) -> requests.Response:
        parts: list[Any] = [
            (name, (None, text)) for name, text in (texts or {}).items()
        ]
        return session.request(
            method,
            f"{server.url}/api/v3{path}",
            files=[*parts, *files] or [("", (None, ""))],
            headers={"Accept": "application/json"},
            auth=(user, user),
            timeout=20,
        )

    yield send
    session.close()


@pytest.fixture
def need(server: Emulator) -> int:
    """An item that is there from the start and that nobody owns but bond."""
    return int(server.items(DEMO_STAKEHOLDER_ID)[0]["id"])
