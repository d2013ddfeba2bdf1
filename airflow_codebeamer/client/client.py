"""Client: Codebeamer's REST API v3 as one object."""

from __future__ import annotations

from types import TracebackType

from airflow_codebeamer.client.associations import Associations
from airflow_codebeamer.client.attachments import Attachments
from airflow_codebeamer.client.items import Items
from airflow_codebeamer.client.jobs import Jobs
from airflow_codebeamer.client.projects import Projects
from airflow_codebeamer.client.trackers import Trackers
from airflow_codebeamer.client.transport import Before, Transport
from airflow_codebeamer.client.users import Users
from airflow_codebeamer.clock import Clock, SystemClock
from airflow_codebeamer.settings import ServerSettings

__all__ = ["Client"]


class Client:
    """A server as one account sees it, its operations by subject.

    These are `jobs`, `projects`, `trackers`, `items`, `users`, `associations` and
    `attachments`.

    One client serves any number of threads. It keeps connections open and all
    its threads to one pace; use it in a `with` block, or close it. A `transport`
    replaces the one that it would make for itself.

    Not promised: a second client, here or in another process, knows nothing of
    this one's pace, even for the same account. Share one, or divide the rates.

    Example:
        >>> from airflow_codebeamer.settings import ServerSettings
        >>> settings = ServerSettings(
        ...     url="https://alm.example.com/cb", login="bot", password="secret"
        ... )
        >>> with Client(settings) as client:
        ...     client.requests_made
        0
    """

    def __init__(
        self,
        settings: ServerSettings,
        *,
        clock: Clock | None = None,
        transport: Transport | None = None,
    ) -> None:
        self.settings = settings
        self._transport = transport or Transport(settings, clock or SystemClock())
        self.projects = Projects(self._transport)
        self.trackers = Trackers(self._transport)
        self.items = Items(self._transport)
        self.jobs = Jobs(self._transport)
        self.users = Users(self._transport)
        self.associations = Associations(self._transport)
        self.attachments = Attachments(self._transport)

    @property
    def requests_made(self) -> int:
        """HTTP requests sent so far, repeated ones included."""
        return self._transport.requests_made

    def forward(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        content_type: str = "",
        *,
        before: Before,
    ) -> tuple[int, dict[str, str], bytes]:
        """Send somebody else's request as this account, at this client's pace.

        `path` begins below the base address, `before` is asked right before the
        sending. Returns status, headers and body as they came.

        Raises:
            TransportError: no answer.
        """
        raw = self._transport.forward(method, path, body, content_type, before)
        return raw.status, dict(raw.headers), raw.body

    def close(self) -> None:
        """Close every connection. A later call opens new ones."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
