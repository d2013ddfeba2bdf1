"""Subject: the server under test, the accounts that ask it, the place to write."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_codebeamer.emulator import DEMO_DERIVED_ID, DEMO_TRACKER_ID, Emulator
from tests.contracts.speaking import Said, Speaker

__all__ = ["Account", "Subject", "emulated"]


@dataclass(frozen=True)
class Account:
    """A log-in; the password is never shown."""

    name: str
    password: str = field(repr=False)


@dataclass
class Subject:
    """A server and what the suite may use of it.

    `accounts`: `user` may write items and set permissions in the tracker, `other`
    may write items, `admin` is a system administrator. `role` is the name of a
    role whose permissions on the tracker may be changed for a moment.
    """

    url: str
    accounts: dict[str, Account]
    tracker: int
    speaker: Speaker
    role: str = ""
    derived: int | None = None
    emulator: Emulator | None = None
    throttled: bool = False

    def ask(self, operation: str, *, who: str = "user", **given: Any) -> Said:
        """Do one operation as one of the accounts."""
        account = self.accounts[who]
        return self.speaker.say(self.url, account, operation, **given)


def emulated(server: Emulator, speaker: Speaker) -> Subject:
    """Return the demo's world as a subject."""
    people = {"user": "generator", "other": "alice", "admin": "bond"}
    return Subject(
        url=server.url,
        accounts={kind: Account(name, name) for kind, name in people.items()},
        tracker=DEMO_TRACKER_ID,
        speaker=speaker,
        role="Tester",
        derived=DEMO_DERIVED_ID,
        emulator=server,
    )
