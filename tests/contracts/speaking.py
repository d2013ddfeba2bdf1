"""Speaking: the same operation said by a plain request or by a generated client.

The suite names operations as the vendor's description does. Who says them is
chosen by `--codebeamer-client`; the tests do not know.
"""

from __future__ import annotations

import contextlib
import enum
import importlib
import json
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
import requests

from airflow_codebeamer.emulator.contract import load_contract

__all__ = ["Generated", "Plain", "Said", "Speaker"]


@dataclass(frozen=True)
class Said:
    """An answer: its status, its JSON (None for an empty body), its headers."""

    status: int
    body: Any
    headers: typing.Mapping[str, str]

    @property
    def message(self) -> str:
        """What an error says."""
        return str(self.body["message"])


class Speaker(Protocol):
    """Whoever can do an operation of Codebeamer."""

    def say(
        self, url: str, account: Any, operation: str, *, body: Any = None, **given: Any
    ) -> Said:
        """Do it; parameters are named as in the description."""

    def close(self) -> None:
        """End every connection."""


class Plain:
    """HTTP and JSON, nothing between; paths come from the contract."""

    def __init__(self) -> None:
        self._session = requests.Session()
        self._paths = {
            entry["id"]: (entry["method"], entry["path"])
            for entry in load_contract().data["operations"]
        }

    def say(
        self, url: str, account: Any, operation: str, *, body: Any = None, **given: Any
    ) -> Said:
        """Send one request."""
        method, path = self._paths[operation]
        in_path = {name for name in given if f"{{{name}}}" in path}
        answer = self._session.request(
            method,
            f"{url}/api{path.format(**given)}",
            params={
                name: json.dumps(value) if isinstance(value, bool) else value
                for name, value in given.items()
                if name not in in_path
            },
            json=body,
            auth=(account.name, account.password),
            headers={"Accept": "application/json"},
            timeout=60,
        )
        return Said(answer.status_code, _json(answer.content), answer.headers)

    def close(self) -> None:
        """End the session."""
        self._session.close()


class Generated:
    """A client that somebody else's program made from a description.

    Every answer has to pass through its models. An empty body beside a described
    one is the exception: the description knows it in words only, and the client
    cannot read it.
    """

    def __init__(self, package: str) -> None:
        self._package = importlib.import_module(package)
        self._client = importlib.import_module(f"{package}.client")
        folder = Path(str(self._package.__file__)).parent / "api"
        self._modules = {
            file.stem.replace("_", ""): f"{package}.api.{file.parent.name}.{file.stem}"
            for file in folder.glob("*/*.py")
        }
        self._clients: dict[tuple[str, str], Any] = {}
        self._last: Any = None

    def say(
        self, url: str, account: Any, operation: str, *, body: Any = None, **given: Any
    ) -> Said:
        """Call the function of that operation."""
        module = importlib.import_module(self._modules[operation.lower()])
        hints = typing.get_type_hints(module.sync_detailed)
        sent = {
            _snake(name): _fitting(hints[_snake(name)], value)
            for name, value in given.items()
        }
        if body is not None:
            sent["body"] = _model(hints["body"], body)
        try:
            module.sync_detailed(client=self._for(url, account), **sent)
        except json.JSONDecodeError:
            if self._last.content:
                raise
        last = self._last
        return Said(last.status_code, _json(last.content), last.headers)

    def close(self) -> None:
        """End every client."""
        for client in self._clients.values():
            client.get_httpx_client().close()

    def _for(self, url: str, account: Any) -> Any:
        known = self._clients.get((url, account.name))
        if known is None:
            httpx = importlib.import_module("httpx")
            known = self._client.Client(
                base_url=f"{url}/api",
                headers={"Accept": "application/json"},
                timeout=httpx.Timeout(60),
                httpx_args={
                    "auth": (account.name, account.password),
                    "event_hooks": {"response": [self._keep]},
                },
            )
            self._clients[url, account.name] = known
        return known

    def _keep(self, answer: Any) -> None:
        answer.read()
        self._last = answer


def _json(content: bytes) -> Any:
    return json.loads(content) if content else None


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def _choices(hint: Any) -> list[Any]:
    return list(typing.get_args(hint)) or [hint]


def _fitting(hint: Any, value: Any) -> Any:
    """Return a value as the function wants it: enums are enums."""
    for one in _choices(hint):
        if isinstance(one, type) and issubclass(one, enum.Enum):
            return one(value)
    return value


def _model(hint: Any, body: Any) -> Any:
    """Return a JSON body as the models that the function wants."""
    if typing.get_origin(hint) is list:
        (inner,) = typing.get_args(hint)
        return [_model(inner, entry) for entry in body]
    for one in _choices(hint):
        if typing.get_origin(one) is list and isinstance(body, list):
            return _model(one, body)
        if hasattr(one, "from_dict") and isinstance(body, dict):
            return _said(one, body)
    raise TypeError(f"{hint} cannot hold {body!r}")


def _said(model: Any, body: dict[str, Any]) -> Any:
    """Return a model that says exactly the body.

    A client made from a description with closed objects cannot say what is not
    in it; a test about that is not for this client.
    """
    with contextlib.suppress(KeyError):
        made = model.from_dict(body)
        if made.to_dict() == body:
            return made
    pytest.skip(f"a client with closed models cannot say {body!r:.100}")
