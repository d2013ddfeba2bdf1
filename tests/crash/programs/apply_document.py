"""A process of its own that locks a tracker, applies a document, and may be killed.

Told on the command line: server, store, tracker, file of the document, and at
which request of the application it dies by SIGKILL, `before` or `after` it was
answered; 0 for never. Writes how many requests the application sent.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from requests.adapters import HTTPAdapter

from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Owner
from airflow_codebeamer.settings import (
    LockSettings,
    ServerSettings,
    Settings,
    StoreSettings,
)
from airflow_codebeamer.skeleton import load_document
from airflow_codebeamer.wiring import connect

OWNER = "dag/run"


class Fuse:
    """Counts requests while it is on, and ends the process at one of them."""

    def __init__(self, at: int, when: str) -> None:
        self.at, self.when = at, when
        self.sent = 0
        self.is_on = False

    def arm(self) -> None:
        """Sit between the client and the network."""
        send = HTTPAdapter.send

        def fused(adapter: HTTPAdapter, *args: Any, **kwargs: Any) -> Any:
            self.sent += self.is_on
            mine = self.is_on and self.sent == self.at
            if mine and self.when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            answer = send(adapter, *args, **kwargs)
            if mine:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        HTTPAdapter.send = fused  # type: ignore[method-assign]


def settings(url: str, store: str) -> Settings:
    """Return settings with one connection, so that requests come one by one."""
    return Settings(
        server=ServerSettings.model_validate(
            {
                "url": url,
                "login": "generator",
                "password": "generator",
                "exclusive_role": "Generator",
                "requests_per_second": None,
                "requests_per_minute": None,
                "connections": 1,
            }
        ),
        store=StoreSettings.model_validate({"url": store}),
        lock=LockSettings(
            lock_delay=timedelta(seconds=0.05), poll=timedelta(seconds=0.05)
        ),
    )


def main() -> None:
    """Lock, apply, release."""
    url, store, tracker, path, at, when = sys.argv[1:7]
    number = TrackerId(int(tracker))
    document = load_document(Path(path))
    fuse = Fuse(int(at), when)
    fuse.arm()
    with connect(settings(url, store)) as codebeamer:
        lock = codebeamer.engine.acquire(number, owner=Owner(OWNER))
        fuse.is_on = True
        codebeamer.runner.apply(document, {}, number, lock, run_key=OWNER)
        fuse.is_on = False
        codebeamer.engine.release(number, owner_key=OWNER)
    sys.stdout.write(f"{fuse.sent}\n")


if __name__ == "__main__":
    main()
