"""One session to one server: sends, times, retries, and turns trouble into errors.

The only module that knows the HTTP library.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeAlias

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.exceptions import HTTPError

from airflow_codebeamer import __version__
from airflow_codebeamer.client.answers import RawAnswer, error_of, json_of
from airflow_codebeamer.client.form import Form
from airflow_codebeamer.client.pace import Pace, limits
from airflow_codebeamer.client.retry import Action, decide
from airflow_codebeamer.client.trouble import error_without_answer
from airflow_codebeamer.clock import Clock
from airflow_codebeamer.errors import (
    CodebeamerError,
    ConfigurationError,
    NotFoundError,
    RateLimitedError,
)
from airflow_codebeamer.settings import ServerSettings

__all__ = ["Before", "Transport"]

#: Asked right before each try of a write; raises to have it not sent.
Before: TypeAlias = Callable[[], None]

_API = "/api/v3"
#: Every server answers here, if only with an empty list.
_ALWAYS_THERE = "/projects"


class Transport:
    """Sends requests to one server as one account; safe for many threads.

    Connections are kept and reused, at most `settings.connections` at a time;
    further threads wait for a free one. Redirects are never followed and
    cookies never kept, so that credentials and answers stay where they belong.

    `adapter` carries requests some other way than over connections of ours.

    Not promised: a bound on the whole length of a slow answer. The read
    timeout bounds each silence in it.
    """

    def __init__(
        self,
        settings: ServerSettings,
        clock: Clock,
        *,
        adapter: BaseAdapter | None = None,
    ) -> None:
        self.connections = settings.connections
        self._settings = settings
        self._clock = clock
        rates = limits(settings.requests_per_second, settings.requests_per_minute)
        self._pace = Pace(rates, clock)
        self._session = _session(settings, adapter or _connections(settings))
        self._guard = threading.Lock()
        self._requests_made = 0
        self._has_succeeded = False

    @property
    def requests_made(self) -> int:
        """Requests given to the network so far, repeated ones included."""
        with self._guard:
            return self._requests_made

    def close(self) -> None:
        """Close every connection."""
        self._session.close()

    def read(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
    ) -> Any:
        """Ask for something; return the answer's JSON, None if it is empty.

        Repeated after every trouble that may pass, since asking twice is
        harmless. `POST` may be a question too (queries).

        Raises:
            TransportError: no answer, several times.
            ApiError: an answer with an error status.
            ContractError: an answer that is no JSON.
            ConfigurationError: the address or a setting is wrong.
        """
        answer = self._send(method, path, query, body, _nothing, is_write=False)
        return json_of(answer, is_write=False)

    def download(self, path: str) -> bytes:
        """Ask for a file; return the answer's body as it came.

        Raises:
            TransportError, ApiError, ConfigurationError: as for `read`.
        """
        return self._send("GET", path, None, None, _nothing, is_write=False).body

    def write(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        before: Before | None = None,
    ) -> Any:
        """Change something; return the answer's JSON, None if it is empty.

        A body is sent as JSON, a `Form` as the form that it is.

        Repeated only when it certainly had no effect. A request may wait long for
        its turn and for a server that wants fewer, so `before` is asked after each
        such wait, with nothing but the sending still to come. What it raises
        leaves here, and then no try had any effect.

        Raises:
            NotSentError: the connection could not be made, several times.
            OutcomeUnknownError, ServerError: it may have happened; look first.
            ApiError, ContractError, ConfigurationError: as for `read`.
        """
        asked = before or _nothing
        answer = self._send(method, path, query, body, asked, is_write=True)
        return json_of(answer, is_write=True)

    def forward(
        self,
        method: str,
        path: str,
        body: bytes,
        content_type: str,
        before: Before,
    ) -> RawAnswer:
        """Send somebody else's request as ours, once; return the answer as it came.

        It takes its turn like every other. `path` begins below the base address
        and carries its own query; `before` is asked right before the sending.

        Raises:
            TransportError: no answer.
            ConfigurationError: the address or a setting is wrong.
        """
        self._pace.wait()
        before()
        kind = {"Content-Type": content_type} if content_type else None
        answer = self._exchange(method, path, None, body or None, kind)
        if isinstance(answer, CodebeamerError):
            raise answer
        error = error_of(answer)
        if isinstance(error, RateLimitedError) and error.retry_after is not None:
            self._pace.hold(error.retry_after.total_seconds())
        return answer

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        body: Any,
        before: Before,
        *,
        is_write: bool,
    ) -> RawAnswer:
        attempt = 0
        while True:
            attempt += 1
            self._pace.wait()
            before()
            answer = self._once(method, path, query, body)
            error = error_of(answer) if isinstance(answer, RawAnswer) else answer
            if error is None and isinstance(answer, RawAnswer):
                self._has_succeeded = True
                return answer
            if isinstance(error, NotFoundError):
                error = self._missing_or_wrong_address(error)
            if error is not None:
                self._wait_or_raise(error, attempt, is_write=is_write)

    def _missing_or_wrong_address(self, error: NotFoundError) -> CodebeamerError:
        """Tell a thing that is missing from an address without the whole API.

        Costs a request, and only if the first answer ever is a 404.
        """
        if self._has_succeeded:
            return error
        self._pace.wait()
        probe = self._once("GET", _ALWAYS_THERE, None, None)
        if not isinstance(probe, RawAnswer):
            return error
        if probe.status != 404:
            self._has_succeeded = probe.status == 200
            return error
        return ConfigurationError(
            "url",
            f"a server answers at {self._settings.base}, but has no Codebeamer REST "
            "API v3 there: try the address with /cb at its end, or without it",
        )

    def _wait_or_raise(
        self, error: CodebeamerError, attempt: int, *, is_write: bool
    ) -> None:
        decision = decide(error, attempt, is_write=is_write)
        if decision.action is not Action.WAIT:
            raise error
        if decision.everybody:
            self._pace.hold(decision.seconds)
        else:
            self._clock.sleep(decision.seconds)

    def _once(
        self, method: str, path: str, query: Mapping[str, Any] | None, body: Any
    ) -> RawAnswer | CodebeamerError:
        if isinstance(body, Form):
            media, sent = body.encoded()
        else:
            media, sent = "application/json", json.dumps(body).encode()
        kind = None if body is None else {"Content-Type": media}
        data = None if body is None else sent
        return self._exchange(method, f"{_API}{path}", _query(query), data, kind)

    def _exchange(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None,
        body: bytes | None,
        headers: dict[str, str] | None,
    ) -> RawAnswer | CodebeamerError:
        with self._guard:
            self._requests_made += 1
        try:
            response = self._session.request(
                method,
                f"{self._settings.base}{path}",
                params=query,
                data=body,
                headers=headers,
                timeout=(
                    self._settings.connect_timeout_seconds,
                    self._settings.read_timeout_seconds,
                ),
                verify=self._settings.verify,
                allow_redirects=False,
            )
        except (requests.RequestException, HTTPError, OSError, UnicodeError) as trouble:
            # Returned, not raised from here: the library's exceptions carry the
            # prepared request with its Authorization header.
            return error_without_answer(trouble, method, self._settings)
        return RawAnswer(
            method=method,
            path=path.removeprefix(_API),
            status=response.status_code,
            headers=response.headers,
            body=response.content,
            now=self._clock.now(),
            is_first=not self._has_succeeded,
            is_bearer=self._settings.token is not None,
        )


class _Login(requests.auth.AuthBase):
    """Writes the Authorization header.

    The library's own Basic log-in writes Latin-1 and fails on other letters;
    servers of today read UTF-8 (RFC 7617). Having a log-in of our own also
    keeps the library from looking for one in a `.netrc` file.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header()
        return request

    def _header(self) -> str:
        if self._settings.token is not None:
            return f"Bearer {self._settings.token.get_secret_value()}"
        password = self._settings.password
        secret = password.get_secret_value() if password is not None else ""
        pair = f"{self._settings.login}:{secret}".encode()
        return f"Basic {base64.b64encode(pair).decode('ascii')}"


def _session(settings: ServerSettings, adapter: BaseAdapter) -> requests.Session:
    session = requests.Session()
    session.auth = _Login(settings)
    session.headers["Accept"] = "application/json"
    session.headers["User-Agent"] = f"airflow-provider-codebeamer/{__version__}"
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def _connections(settings: ServerSettings) -> HTTPAdapter:
    return HTTPAdapter(
        pool_connections=1,
        pool_maxsize=settings.connections,
        pool_block=True,
        max_retries=0,
    )


def _query(query: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Write booleans as the server reads them; the library leaves out None."""
    if query is None:
        return None
    return {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in query.items()
    }


def _nothing() -> None:
    pass
