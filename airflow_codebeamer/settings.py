"""Settings: what we are told, parsed and frozen; nothing here dials or reads.

Three groups, because three rooms need them: the server and its account
(`ServerSettings`), the timing and policy of locks (`LockSettings`) and the
address of the lock store (`StoreSettings`). `Settings` holds all three.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from airflow_codebeamer.errors import ConfigurationError

__all__ = [
    "READ_ONLY_PERMISSIONS",
    "WRITER_PERMISSIONS",
    "LockSettings",
    "RestorePolicy",
    "ServerSettings",
    "Settings",
    "StoreSettings",
    "base_address",
]

#: The rights that a locked role keeps. Everything else is taken away, also what
#: a newer server adds. Source of the names: the vendor's list of 28 tracker
#: permissions; which of them only read is our classification.
READ_ONLY_PERMISSIONS = frozenset(
    {
        "issue_view_not_own",
        "issue_view",
        "issue_history_view",
        "issue_escalation_view",
        "issue_attachment_view",
        "issue_subscribe",
        "tracker_subscribe",
        "tracker_subscribers_view",
        "issue_association_view",
        "export",
    }
)

#: What becomes of a role that others changed while it was locked.
RestorePolicy = Literal["merge", "exact", "keep", "ask"]

#: What a lock gives the role of the account that writes, where two write in turn.
WRITER_PERMISSIONS = frozenset(
    {
        "issue_edit_not_own",
        "issue_add",
        "issue_edit",
        "issue_mass_edit",
        "issue_close",
        "issue_delete",
        "issue_comment_add",
        "issue_attachment_add",
        "issue_attachment_edit",
        "issue_attachment_edit_own",
        "issue_association_edit",
    }
)

_API_SUFFIXES = ("/api/v3", "/api", "/rest")


def base_address(address: str) -> str:
    """Return the base address of a server: scheme, host, context path, no slash.

    Accepts the address with or without a context path (`/cb`), and with the
    API's own suffix, which people copy from the browser.

    Raises:
        ConfigurationError: no http(s) address, or one with credentials, a
            query or a fragment in it.
    """
    try:
        parts = urlsplit(address.strip())
        port_number = parts.port
    except ValueError:
        raise ConfigurationError(
            "url", "host or port cannot be read, write it like https://host:8443/cb"
        ) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(
            "url", "write the server's base address, like https://alm.example.com/cb"
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigurationError(
            "url", "leave log-in, query and fragment out of the address"
        )
    path = parts.path.rstrip("/")
    for suffix in _API_SUFFIXES:
        if path.endswith(suffix):
            path = path.removesuffix(suffix)
            break
    default = {"http": 80, "https": 443}[parts.scheme]
    host = parts.hostname if ":" not in parts.hostname else f"[{parts.hostname}]"
    port = f":{port_number}" if port_number and port_number != default else ""
    return f"{parts.scheme}://{host}{port}{path}"


class _Frozen(BaseModel):
    # Without the last one a misspelt `password` would be quoted in the error.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ServerSettings(_Frozen):
    """A Codebeamer server, an account on it, and how hard we may press it.

    Log in with `login` and `password` (Basic) or with `token` (bearer); with a
    token `login` is still wanted, because v3 cannot say who is asking.
    """

    #: The base address with its context path, like https://alm.example.com/cb.
    url: str
    #: The account's log-in name.
    login: str = ""
    #: Its password.
    password: SecretStr | None = None
    #: A bearer token, instead of the password.
    token: SecretStr | None = None
    #: Check certificates: yes, no, or the path of a CA bundle.
    verify: bool | str = True
    #: How long a connection may take.
    connect_timeout_seconds: float = Field(default=10.0, gt=0)
    #: How long an answer may take.
    read_timeout_seconds: float = Field(default=60.0, gt=0)
    #: Our own pace; None for no limit.
    requests_per_second: float | None = Field(default=3.0, gt=0)
    #: Our own pace; None for no limit.
    requests_per_minute: float | None = Field(default=120.0, gt=0)
    #: Parallel connections at most, 1 to 64.
    connections: int = Field(default=8, ge=1, le=64)
    #: Which API sets tracker permissions. Only v3 is spoken so far: no effect yet.
    api: Literal["auto", "v3", "v1"] = "auto"
    #: Name or id of the role that keeps write access while a tracker is locked.
    exclusive_role: str = ""
    #: The tracker that gets an item for each locked tracker, which says who has it;
    #: None for no notices.
    notice_tracker: int | None = Field(default=None, ge=1)
    #: How others are kept from writing, unless a lock says it: `role_permissions`,
    #: `item_locks`, `advisory`, or the name of one that is installed beside these.
    strategy: str = "role_permissions"

    @field_validator("verify", mode="before")
    @classmethod
    def _said_or_a_path(cls, value: Any) -> Any:
        """Read "true" and "false" as such; an empty path would mean no check."""
        if not isinstance(value, str):
            return value
        word = value.strip()
        if not word:
            raise ConfigurationError(
                "verify", "write true, false or the path of a CA bundle"
            )
        return {"true": True, "false": False}.get(word.lower(), word)

    @model_validator(mode="after")
    def _complete(self) -> ServerSettings:
        base_address(self.url)
        if self.token is None and not (self.login and self.password is not None):
            raise ConfigurationError(
                "login", "give a login and a password, or a token, for the server"
            )
        if ":" in self.login:
            raise ConfigurationError("login", "a log-in name cannot contain a colon")
        if self.token is not None and not _is_header_safe(self.token):
            raise ConfigurationError(
                "token", "it may have only visible ASCII characters, and no blanks"
            )
        return self

    @property
    def base(self) -> str:
        """The base address, normalised: also the server's name in the store."""
        return base_address(self.url)


def _is_header_safe(secret: SecretStr) -> bool:
    return re.fullmatch(r"[!-~]+", secret.get_secret_value()) is not None


class LockSettings(_Frozen):
    """Timing and policy of locks; docs/explanation/locking.md says why so long.

    Three beats must fit between the margin and the `ttl`, and the bridge must
    be at least one `ttl`.
    """

    #: The lease from one task of a run to the next.
    bridge: timedelta = timedelta(minutes=30)
    #: The lease while a task works.
    ttl: timedelta = timedelta(seconds=60)
    #: How often a working task renews it.
    beat: timedelta = timedelta(seconds=15)
    #: How long a request without answer may still take effect on the server.
    lock_delay: timedelta = timedelta(seconds=15)
    #: How long before its lease ends the owner stops writing.
    margin: timedelta = timedelta(seconds=15)
    #: How long a living holder, whose lock somebody breaks, has to put everything back
    #: by himself; never longer than what is left of his lease.
    break_after: timedelta = timedelta(seconds=30)
    #: How long a lock may be held at all, renewals or not; 0 for as long as it lives.
    hold_limit: timedelta = timedelta(0)
    #: How often a waiter looks.
    poll: timedelta = timedelta(seconds=5)
    #: After how long of waiting a ticket counts as one priority more.
    ageing: timedelta = timedelta(minutes=5)
    #: How long a tracker is kept for the waiter whose turn it is.
    offer_ttl: timedelta = timedelta(seconds=120)
    #: How long a waiter that is not heard of still keeps others behind it waiting.
    waiter_ttl: timedelta = timedelta(seconds=30)
    #: How long to wait between reducing rights and relying on it.
    settle: timedelta = timedelta(0)
    #: How long the check of who else is in the exclusive role is believed.
    membership_age: timedelta = timedelta(hours=24)
    #: The rights that a reduced role keeps.
    read_only: frozenset[str] = READ_ONLY_PERMISSIONS
    #: The rights that a lock gives the one of two accounts whose turn it is.
    writing: frozenset[str] = WRITER_PERMISSIONS
    #: Lock templates and trackers derived from one, too.
    allow_templates: bool = False
    #: What to do about people who have an item open: not to look, wait for them, or
    #: refuse the lock.
    open_editors: Literal["ignore", "wait", "fail"] = "ignore"
    #: How long to wait for them.
    open_editors_wait: timedelta = timedelta(minutes=5)
    #: In how many items to look, those changed last first, one request each.
    open_editors_items: int = Field(default=100, ge=1, le=500)
    #: What to do about rights that the server will not take away.
    on_floor: Literal["warn", "fail"] = "warn"
    #: How long a release waits for jobs of the server that were started under the lock.
    job_wait: timedelta = timedelta(minutes=10)
    #: How often a held tracker's permissions are read again, one request each time; 0
    #: for never. A write right that is back, or new, is drift; by item locks an item
    #: that is not locked by us any more, with one request for each item.
    watch: timedelta = timedelta(0)
    #: What to do about drift that the watch finds: take it away again and give it back
    #: at the end, only tell of it, or stop the work.
    on_drift: Literal["relock", "warn", "fail"] = "relock"
    #: What a role gets back that others changed meanwhile: its original with their
    #: changes, its original alone, what they left, or what a person says of it.
    restore_policy: RestorePolicy = "merge"
    #: What to do if the notice of a lock cannot be written: try again at the next
    #: step, or refuse the lock.
    notice: Literal["try", "required"] = "try"
    #: What to do about changes of others under the lock: not to look, or to look and
    #: warn, or fail the release once the tracker is free.
    certificate: Literal["off", "warn", "fail"] = "off"
    #: How many requests (500 items each) the certificate may take at each end to
    #: know every item; in a larger tracker it goes by time and counts.
    certificate_pages: int = Field(default=20, ge=1)
    #: Of how many items that we wrote more than once the history is read.
    certificate_histories: int = Field(default=100, ge=0)
    #: What the certificate compares besides items: nothing more, associations too (a
    #: request for 500 items at each end), or attachments and edits of comments as well
    #: (a request for each item at each end).
    certificate_depth: Literal["items", "links", "files"] = "items"
    #: In a tracker of more items than this, attachments are not asked for: a gap.
    certificate_files: int = Field(default=500, ge=0)
    #: How often it is asked under the lock what others wrote, one request each time,
    #: so that what they make and delete again is known; 0 for never.
    certificate_watch: timedelta = timedelta(0)

    @model_validator(mode="after")
    def _consistent(self) -> LockSettings:
        if self.beat * 3 > self.ttl - self.margin:
            raise ConfigurationError(
                "beat", "three beats must fit between the margin and the ttl"
            )
        if self.bridge < self.ttl:
            raise ConfigurationError("lease", f"make it at least {self.ttl}")
        if min(self.ageing, self.offer_ttl, self.waiter_ttl) <= timedelta(0):
            raise ConfigurationError(
                "timing", "ageing, offer_ttl and waiter_ttl must be longer than nothing"
            )
        return self


class StoreSettings(_Frozen):
    """Where the lock store is: any SQLAlchemy address; SQLite and PostgreSQL tested.

    SQLite's locks do not hold on a network share
    (https://sqlite.org/faq.html#q5), so a file there is refused.
    """

    #: The SQLAlchemy address.
    url: SecretStr
    #: Use a SQLite file on a network share all the same.
    allow_network_share: bool = False


class Settings(_Frozen):
    """Everything that `wiring` needs to build the engines."""

    server: ServerSettings
    store: StoreSettings
    lock: LockSettings = LockSettings()
    #: Two accounts that write in turn, each with its own `exclusive_role`; the
    #: server's account then only sets permissions. None: that one writes, too.
    writers: tuple[ServerSettings, ...] = ()

    @model_validator(mode="after")
    def _rotating(self) -> Settings:
        if not self.writers:
            return self
        if len(self.writers) != 2:
            raise ConfigurationError("writers", "two accounts write in turn, or none")
        if any(one.base != self.server.base for one in self.writers):
            raise ConfigurationError("writers", "all three are accounts of one server")
        logins = {self.server.login, *(one.login for one in self.writers)}
        if len(logins) != 3 or "" in logins:
            raise ConfigurationError(
                "writers", "use three accounts: two that write, one for permissions"
            )
        roles = {one.exclusive_role for one in self.writers}
        if len(roles) != 2 or "" in roles:
            raise ConfigurationError(
                "writers", "give each writer a role of its own, as its exclusive_role"
            )
        return self
