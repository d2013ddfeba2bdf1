"""The emulator that is shot at: the demo's world with something of everything."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from airflow_codebeamer.emulator import DEMO_STAKEHOLDER_ID, Emulator

__all__ = ["target"]


@contextmanager
def target() -> Iterator[Emulator]:
    """Yield a running emulator with comments, attachments, associations and locks."""
    with Emulator(world="demo") as server, requests.Session() as session:
        session.auth = ("generator", "generator")
        api = f"{server.url}/api/v3"
        items = [item["id"] for item in server.items(DEMO_STAKEHOLDER_ID)]
        for item in items[:3]:
            for text in ("why?", "because"):
                form = {"comment": (None, text)}
                _ok(session.post(f"{api}/items/{item}/comments", files=form))
            form = {"attachments": ("a.txt", b"text", "text/plain")}
            _ok(session.post(f"{api}/items/{item}/attachments", files=form))
        for one, two in itertools.pairwise(items[:4]):
            body = {
                "from": {"id": one, "type": "TrackerItemReference"},
                "to": {"id": two, "type": "TrackerItemReference"},
                "type": {"id": 1, "type": "AssociationTypeReference"},
            }
            _ok(session.post(f"{api}/associations", json=body))
        _ok(session.put(f"{api}/items/{items[4]}/lock", json={"hard": True}))
        yield server


def _ok(answer: requests.Response) -> None:
    if answer.status_code != 200:
        raise RuntimeError(f"The target could not be made: {answer.text}")
