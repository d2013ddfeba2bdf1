"""What every command is told: which server, which account, which lock store."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from airflow_codebeamer.cli.escrow import escrow_writer
from airflow_codebeamer.cli.output import Output
from airflow_codebeamer.cli.passwords import read_secret
from airflow_codebeamer.cli.policies import lock_policies
from airflow_codebeamer.cli.spans import lock_settings
from airflow_codebeamer.cli.writers import read_writers
from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.settings import (
    ServerSettings,
    Settings,
    StoreSettings,
    base_address,
)
from airflow_codebeamer.wiring import Codebeamer, StoreView, connect, open_store

__all__ = ["Session", "Where", "signed", "who"]

_NOT_GIVEN = (
    "give the account's password: --password-file or CODEBEAMER_PASSWORD, or "
    "its token: CODEBEAMER_TOKEN"
)


@dataclass(frozen=True)
class Where:
    """The options that all commands share, as they were typed.

    The store's address may hold a password and is not shown.
    """

    url: str = ""
    user: str = ""
    password_file: str = ""
    verify: str = "true"
    store: str = field(default="", repr=False)
    exclusive_role: str = ""
    strategy: str = ""
    writers: str = ""
    requests_per_second: float = 3.0
    requests_per_minute: float = 120.0
    timing: str = ""
    policy: str = ""
    certificate: str = "off"
    escrow: str = ""
    notice_tracker: int = 0
    json: bool = False
    debug: bool = False


class Session:
    """One run of one command: its options, its output, its connections."""

    def __init__(self, where: Where) -> None:
        self.where = where
        self.out = Output(json=where.json)

    @property
    def server(self) -> str:
        """The server's name in the store, empty without an address."""
        return base_address(self.where.url) if self.where.url else ""

    def connect(
        self,
        progress: Callable[[Any], None] | None = None,
        *,
        looks_again: bool = False,
    ) -> Codebeamer:
        """Return the engines for the server and the store.

        With `looks_again` nothing that was once learned about who is in the
        exclusive role is believed.

        Raises:
            ConfigurationError: an option is missing or wrong.
        """
        lock = lock_settings(self.where.timing)
        if self.where.certificate not in ("off", "warn", "fail"):
            raise ConfigurationError("--certificate", "say off, warn or fail")
        told = {"certificate": self.where.certificate}
        lock = lock.model_copy(update=told | lock_policies(self.where.policy))
        if looks_again:
            lock = lock.model_copy(update={"membership_age": timedelta(0)})
        server = self._server_settings()
        settings = Settings(
            server=server,
            store=self.store_settings(),
            lock=lock,
            writers=read_writers(self.where.writers, server),
        )
        return connect(
            settings,
            say=self.out.say,
            escrow=escrow_writer(self.where.escrow),
            progress=progress,
        )

    def open_store(self) -> StoreView:
        """Return the store alone, for commands that need no server."""
        return open_store(self.store_settings())

    def store_settings(self) -> StoreSettings:
        """Return where the lock store is: as told, else below AIRFLOW_HOME."""
        share = os.environ.get("CODEBEAMER_ALLOW_NETWORK_SHARE", "").lower()
        return StoreSettings(
            url=SecretStr(self.where.store or _default_store()),
            allow_network_share=share in ("1", "true"),
        )

    def _server_settings(self) -> ServerSettings:
        where = self.where
        if not where.url:
            raise ConfigurationError(
                "--url",
                "say which server: --url or CODEBEAMER_URL, like "
                "https://alm.example.com/cb",
            )
        if not where.user:
            raise ConfigurationError(
                "--user", "say which account: --user or CODEBEAMER_USER"
            )
        try:
            return ServerSettings(
                url=where.url,
                login=where.user,
                **read_secret(
                    "--password-file",
                    where.password_file,
                    prefix="CODEBEAMER_",
                    missing=_NOT_GIVEN,
                ),
                verify=_verify(where.verify),
                requests_per_second=where.requests_per_second or None,
                requests_per_minute=where.requests_per_minute or None,
                exclusive_role=where.exclusive_role,
                strategy=where.strategy or "role_permissions",
                notice_tracker=where.notice_tracker or None,
            )
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            option = "--" + "-".join(str(part) for part in first["loc"])
            raise ConfigurationError(
                option.replace("_", "-"), str(first["msg"])
            ) from None


def who() -> str:
    """Return who runs this command, on which machine.

    As the system knows the process; `LOGNAME` and the like can say anything.
    """
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container knows numbers only
        name = f"uid{os.getuid()}"
    return f"{name}@{socket.gethostname()}"


def signed(by: str = "") -> str:
    """Return who decides, as it is kept: never without the account and the machine.

    A name that is told, and that of who became this account by `sudo`, stand before
    it: they are claims, and whoever reads them shall see whose.
    """
    sudo = os.environ.get("SUDO_USER", "")
    claims = [by, f"{sudo} by sudo" if sudo else ""]
    told = ", ".join(filter(None, claims))
    return f"{told} ({who()})" if told else who()


def _verify(text: str) -> bool | str:
    word = text.strip().lower()
    if word in ("true", "false", ""):
        return word != "false"
    if not Path(text).expanduser().exists():
        raise ConfigurationError(
            "--verify", f"say true, false, or the path of a CA bundle, not {text!r}"
        )
    return str(Path(text).expanduser())


def _default_store() -> str:
    home = Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser()
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            "--store", f"AIRFLOW_HOME cannot be used ({error}); say where the store is"
        ) from None
    return f"sqlite:///{home}/codebeamer_locks.db"
