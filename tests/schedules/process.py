"""A process of ours that meets what was planned for it, at its commits and requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests
from requests.adapters import BaseAdapter
from urllib3.exceptions import ProtocolError

from airflow_codebeamer.database import Database
from airflow_codebeamer.emulator.step import Answer, Asked
from airflow_codebeamer.errors import DatabaseError

__all__ = ["COMMIT", "CrashedError", "FusedStore", "InProcess", "Process", "broken"]

COMMIT = "commit"


class CrashedError(BaseException):
    """The process is gone; nothing may catch this."""


class Process:
    """Counts the operations of one process, and does to them what is planned.

    An operation is a commit of the store or a request. `watch` is told of each
    before it happens. What a deed means:

    - `crash`: the process ends before the operation.
    - `refused`: a commit or a request does not happen, and the process lives.
    - `lost`: it happens, and its answer does not come.
    - `late N`: a request is under way for N seconds, and the process hears nothing.
    - `late crash N`: the same, and the process ends.
    - `edit KIND`: an administrator edits permissions before the operation.
    - `pause`: the process stops before the operation, the world goes on without it,
      and it wakes.

    A plan names operations by their number from 0, or permission requests by theirs
    from -1 downwards. A deed that an operation cannot meet does nothing: only a
    permission request is late, and none stops between the last check of its sender
    and its sending.
    """

    def __init__(
        self,
        plan: Mapping[int, str] | None = None,
        *,
        watch: Callable[[int], None] | None = None,
        edit: Callable[[str], bool] | None = None,
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        self.operations: list[str] = []
        self.is_dead = False
        #: How many planned deeds came to something.
        self.met = 0
        #: The last edit that this process can have seen on the server.
        self.view = -1
        #: The same of other trackers than the first, by number.
        self.views: dict[int, int] = {}
        self._plan = dict(plan or {})
        self._watch = watch
        self._edit = edit
        self._meanwhile = meanwhile

    def begins(self, name: str) -> str:
        """Count an operation; return what shall happen to it, "" for nothing."""
        if self.is_dead:
            raise CrashedError(name)
        at = len(self.operations)
        self.operations.append(name)
        if self._watch is not None:
            self._watch(at)
        deed = self._plan.get(at, "")
        if name == "PUT":
            deed = deed or self._plan.get(-self.operations.count("PUT"), "")
        if deed.startswith("edit "):
            assert self._edit is not None
            self.met += self._edit(deed.removeprefix("edit "))
            return ""
        if deed.startswith("late") and name != "PUT":
            return ""
        if deed == "pause":
            if name != "PUT" and self._meanwhile is not None:
                self.met += 1
                self._meanwhile()
            return ""
        self.met += bool(deed)
        if deed == "crash":
            self.die()
        return deed

    def die(self) -> None:
        """End the process."""
        self.is_dead = True
        raise CrashedError


class FusedStore:
    """A store as one process has it: each commit is an operation."""

    def __init__(
        self, database: Database, process: Process, committed: Callable[[], None]
    ) -> None:
        self._database = database
        self._process = process
        self._committed = committed
        self.now = database.now

    @contextmanager
    def begin(self) -> Iterator[Any]:
        deed = self._process.begins(COMMIT)
        if deed == "refused":
            raise DatabaseError("The store could not be reached.")
        with self._database.begin() as connection:
            yield connection
        self._committed()
        if deed == "lost":
            raise DatabaseError("The answer to a commit was lost.")

    @contextmanager
    def read(self) -> Iterator[Any]:
        if self._process.is_dead:
            raise CrashedError
        with self._database.read() as connection:
            yield connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


class InProcess(BaseAdapter):
    """Carries requests to whoever answers them, without any socket."""

    def __init__(self, carry: Callable[[Asked], Answer]) -> None:
        super().__init__()
        self._carry = carry

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        path, _, query = request.path_url.partition("?")
        body = request.body or b""
        headers = request.headers
        answer = self._carry(
            Asked(
                request.method or "",
                path,
                query,
                str(headers.get("Authorization", "")),
                str(headers.get("Accept", "")),
                body if isinstance(body, bytes) else body.encode(),
                str(headers.get("Content-Type", "")),
            )
        )
        response = requests.Response()
        response.status_code = answer.status
        response.headers.update({**answer.headers, "Content-Type": answer.content_type})
        response.url = request.url or ""
        response.request = request
        response._content = answer.body
        return response

    def close(self) -> None:
        pass


def broken() -> requests.ConnectionError:
    """Return what the library says when a connection breaks before an answer."""
    return requests.ConnectionError(ProtocolError("Connection aborted."))
