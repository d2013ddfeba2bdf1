"""What the suite is told about a live server; passwords by environment or file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.contracts.speaking import Speaker
from tests.contracts.subject import Account, Subject

__all__ = ["add_options", "live_subject"]


def add_options(parser: pytest.Parser) -> None:
    """Declare the options; called by the tests' root, where pytest looks for them."""
    group = parser.getgroup("codebeamer", "contract tests against a live server")
    for name, text in (
        ("url", "base address of a live server, like https://alm.example.com/cb"),
        ("user", "account that may write items and permissions of the tracker"),
        ("password-file", "file with its password (or CODEBEAMER_PASSWORD)"),
        ("other", "second account, that may write items of the tracker"),
        ("other-password-file", "its password (or CODEBEAMER_OTHER_PASSWORD)"),
        ("admin", "system administrator, for the questions about them"),
        ("admin-password-file", "its password (or CODEBEAMER_ADMIN_PASSWORD)"),
        ("tracker", "number of a tracker that tests may write to"),
        ("derived-tracker", "number of a tracker that inherits its permissions"),
        ("ui-locked-tracker", "number of a tracker that a person locked in the page"),
        ("role", "role whose permissions in the tracker tests may change"),
        ("release", "release of the server, for recordings"),
        ("recordings", "folder of recordings; default: tests/contracts/recordings"),
        ("answers", "JSON file for what the server answered to the open questions"),
        ("client", "own, or a description's file: say it by a generated client"),
    ):
        group.addoption(f"--codebeamer-{name}", default="", metavar="X", help=text)
    group.addoption(
        "--codebeamer-record",
        action="store_true",
        help="write recordings of what a live server answers",
    )
    group.addoption(
        "--codebeamer-throttled",
        action="store_true",
        help="ask the questions about the throttle too, which keep the server busy",
    )


def live_subject(config: pytest.Config, speaker: Speaker) -> Subject:
    """Return the live server as a subject, with the accounts that were named."""

    def told(name: str) -> str:
        return str(config.getoption(f"--codebeamer-{name}"))

    accounts = {}
    for kind, prefix in (("user", ""), ("other", "other-"), ("admin", "admin-")):
        if told(kind):
            password = _password(told(f"{prefix}password-file"), prefix)
            accounts[kind] = Account(told(kind), password)
    if "user" not in accounts or not told("tracker"):
        raise pytest.UsageError(
            "A live server needs --codebeamer-user and --codebeamer-tracker."
        )
    return Subject(
        url=told("url").rstrip("/"),
        accounts=accounts,
        tracker=int(told("tracker")),
        speaker=speaker,
        role=told("role"),
        derived=int(told("derived-tracker")) if told("derived-tracker") else None,
        throttled=config.getoption("--codebeamer-throttled"),
    )


def _password(file: str, prefix: str) -> str:
    variable = f"CODEBEAMER_{prefix.replace('-', '_').upper()}PASSWORD"
    if file:
        return Path(file).read_text("utf-8").strip()
    if variable in os.environ:
        return os.environ[variable]
    raise pytest.UsageError(
        f"Set {variable}, or name a file with --codebeamer-{prefix}password-file."
    )
