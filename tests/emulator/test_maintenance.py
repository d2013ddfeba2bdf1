from __future__ import annotations

from collections.abc import Callable

import requests

from airflow_codebeamer.emulator import Emulator

Ask = Callable[..., requests.Response]
PATH = "/system/maintenance"
TEXTS = {
    "loginErrorText": "Back at noon.",
    "loginText": "a",
    "notificationText": "b",
    "slogan": "c",
    "welcomeText": "d",
}


def test_only_administrators_change_the_mode(ask: Ask) -> None:
    assert ask("alice", "GET", PATH).json() == {"systemMode": "NORMAL"}
    body = {"systemMode": "MAINTENANCE", "properties": TEXTS}
    assert ask("alice", "PUT", PATH, body).status_code == 403
    assert ask("alice", "GET", PATH).json() == {"systemMode": "NORMAL"}


def test_during_maintenance_the_server_is_its_administrators(
    ask: Ask, server: Emulator
) -> None:
    body = {"systemMode": "MAINTENANCE", "properties": TEXTS}
    assert ask("bond", "PUT", PATH, body).json() == {"systemMode": "MAINTENANCE"}
    refused = ask("alice", "GET", "/projects")
    assert refused.status_code == 403
    assert refused.json()["message"] == "Back at noon."
    assert ask("alice/wrong", "GET", "/projects").status_code == 401
    assert ask("bond", "GET", "/projects").status_code == 200
    server.load_world(server.world())
    assert ask("alice", "GET", PATH).status_code == 403
    assert ask("bond", "PUT", PATH, {"systemMode": "NORMAL"}).ok
    assert ask("alice", "GET", "/projects").status_code == 200


def test_a_mode_needs_all_its_texts(ask: Ask) -> None:
    for body in (
        {},
        {"systemMode": None},
        {"systemMode": "OFF"},
        {"systemMode": "MAINTENANCE"},
        {"systemMode": "MAINTENANCE", "properties": {"slogan": "c"}},
        {"systemMode": "MAINTENANCE", "properties": {**TEXTS, "colour": "red"}},
    ):
        assert ask("bond", "PUT", PATH, body).status_code == 400, body
