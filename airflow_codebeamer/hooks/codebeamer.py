"""CodebeamerHook: an Airflow connection becomes settings, a client, the engines.

The engines, and what they need from outside, are imported when one is asked for:
a DAG file names this hook each time it is parsed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import unquote, urlsplit

from airflow.providers.common.compat.sdk import AirflowNotFoundException, conf
from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from airflow_codebeamer.errors import CodebeamerError, ConfigurationError

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from airflow_codebeamer.client import Client
    from airflow_codebeamer.settings import LockSettings, Settings, StoreSettings
    from airflow_codebeamer.wiring import Codebeamer

__all__ = ["LOCK_STORE_CONN_ID", "CodebeamerHook"]

#: The connection that says where the lock store is, if it exists.
LOCK_STORE_CONN_ID = "codebeamer_lock_store"

_SECTION = "codebeamer"
_TIMES = (
    "ttl",
    "beat",
    "lock_delay",
    "margin",
    "poll",
    "ageing",
    "offer_ttl",
    "waiter_ttl",
    "open_editors_wait",
    "settle",
    "job_wait",
    "watch",
    "certificate_watch",
    "break_after",
    "hold_limit",
    "bridge",
)
_POLICIES = (
    "certificate",
    "certificate_depth",
    "notice",
    "on_drift",
    "open_editors",
    "restore_policy",
)


class CodebeamerHook(BaseHook):
    """Reach a Codebeamer server, and the store that knows who holds its trackers.

    Nothing is read or dialled before it is asked for. Each call of `codebeamer`
    opens a session of its own, which the caller closes:

        with CodebeamerHook("codebeamer_default").codebeamer() as codebeamer:
            tracker = codebeamer.client.trackers.get_tracker(2001)

    :param codebeamer_conn_id: the Airflow connection, of the type `codebeamer`.
    """

    conn_name_attr = "codebeamer_conn_id"
    default_conn_name = "codebeamer_default"
    conn_type = "codebeamer"
    hook_name = "Codebeamer"

    def __init__(
        self, codebeamer_conn_id: str = default_conn_name, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.codebeamer_conn_id = codebeamer_conn_id

    @cached_property
    def settings(self) -> Settings:
        """Everything the connection, the store's connection and the configuration say.

        Raises:
            ConfigurationError: names the setting that is missing or wrong.
        """
        from airflow_codebeamer.hooks.connection import (
            basic_credentials,
            server_settings,
            writer_connections,
        )
        from airflow_codebeamer.settings import Settings

        main = self._connection(self.codebeamer_conn_id)
        server = server_settings(main)
        writers = [
            server_settings(self._connection(name)) for name in writer_connections(main)
        ]
        for account in (server, *writers):
            if derived := basic_credentials(account):
                mask_secret(derived)
        return Settings(
            server=server,
            store=self.store_settings(),
            lock=self.lock_settings(),
            writers=tuple(writers),
        )

    @staticmethod
    def store_settings() -> StoreSettings:
        """Where the lock store is: its connection, else the configuration, else a file.

        Raises:
            ConfigurationError: the connection names no store.
        """
        return _store_settings()

    @staticmethod
    def lock_settings() -> LockSettings:
        """The timing of locks, as `[codebeamer]` of the configuration says.

        Raises:
            ConfigurationError: a time is no number, or the timing is not safe.
        """
        return _lock_settings()

    def get_conn(self) -> Client:
        """Return a client of the server; close it when done."""
        return self.codebeamer().client

    def codebeamer(self, *, say: Callable[[str], None] | None = None) -> Codebeamer:
        """Return the engines, built on first use; `say` gets their progress lines."""
        from airflow_codebeamer.wiring import connect

        return connect(self.settings, say=_unheard(say or self.log.info))

    def test_connection(self) -> tuple[bool, str]:
        """Say who we are, which role is exclusive, and what is missing.

        Changes nothing on the server; makes the lock store's tables if need be.
        """
        from airflow_codebeamer.hooks.examination import examine

        try:
            with self.codebeamer() as codebeamer:
                return examine(codebeamer)
        except CodebeamerError as error:
            return False, str(error)

    @classmethod
    def _connection(cls, conn_id: str) -> Connection:
        try:
            connection = cls.get_connection(conn_id)
        except AirflowNotFoundException:
            raise ConfigurationError(
                f"connection {conn_id}",
                "there is none of that name: create it, of the type Codebeamer",
            ) from None
        if connection.conn_type not in (cls.conn_type, "generic", "http", "", None):
            raise ConfigurationError(
                f"connection {conn_id}",
                f"its type is {connection.conn_type}, make it {cls.conn_type}",
            )
        return connection


def _unheard(say: Callable[[str], None]) -> Callable[[str], None]:
    """Return a `say` that does not fail where nobody reads the log any more.

    The log of a task goes through its supervisor. When that one dies, the task
    still has to undo what it wrote.
    """

    def speak(line: str) -> None:
        with suppress(OSError):
            say(line)

    return speak


def _store_settings() -> StoreSettings:
    from pydantic import SecretStr

    from airflow_codebeamer.hooks.connection import store_address
    from airflow_codebeamer.settings import StoreSettings

    try:
        connection = BaseHook.get_connection(LOCK_STORE_CONN_ID)
    except AirflowNotFoundException:
        address = conf.get(_SECTION, "lock_store", fallback="") or _default_store()
        if password := urlsplit(address).password:
            mask_secret(unquote(password))
        share = False
    else:
        address = store_address(connection)
        share = bool(connection.extra_dejson.get("allow_network_share", False))
    return StoreSettings(url=SecretStr(address), allow_network_share=share)


def _default_store() -> str:
    home = os.path.expandvars(os.environ.get("AIRFLOW_HOME", "~/airflow"))
    return f"sqlite:///{os.path.expanduser(home)}/codebeamer_locks.db"


def _lock_settings() -> LockSettings:
    """Read the timing of locks from `[codebeamer] <name>_seconds`, and policies."""
    from airflow_codebeamer.settings import LockSettings

    spans: dict[str, timedelta] = {}
    for name in _TIMES:
        option = f"{name}_seconds"
        text = conf.get(_SECTION, option, fallback="")
        if not text:
            continue
        try:
            spans[name] = timedelta(seconds=float(text))
        except ValueError:
            raise ConfigurationError(
                f"[{_SECTION}] {option}", f"say a number of seconds, not {text!r}"
            ) from None
    return LockSettings.model_validate({**spans, **_policies(LockSettings)})


def _policies(settings: type[LockSettings]) -> dict[str, str]:
    """Read the policies of locks, each one of a few words."""
    found: dict[str, str] = {}
    for name in _POLICIES:
        word = conf.get(_SECTION, name, fallback="")
        words = get_args(settings.model_fields[name].annotation)
        if word and word not in words:
            raise ConfigurationError(
                f"[{_SECTION}] {name}",
                f"say {', '.join(words[:-1])} or {words[-1]}, not {word!r}",
            )
        if word:
            found[name] = word
    return found
