"""A server, a store of our own, and the command: called, or as a real process."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer.cli import main
from airflow_codebeamer.emulator import Emulator

SMALL = """
owner: tests
target: {project: BRK, tracker: SYSREQ}
items:
  - key: folder
    name: Folder
    type: Folder
    children:
      - {key: one, name: One, fields: {Unit: bar, Factor: 0.5}}
      - {key: two, name: Two, fields: {ASIL: D}}
"""


@dataclass
class Ran:
    """One process that has ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


@dataclass
class Commands:
    """Runs `airflow-codebeamer` against one server and one store."""

    url: str
    store: str
    env: dict[str, str] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        """Return our variables for a command."""
        return {
            "CODEBEAMER_URL": self.url,
            "CODEBEAMER_USER": "generator",
            "CODEBEAMER_PASSWORD": "generator",
            "CODEBEAMER_LOCK_STORE": self.store,
            "CODEBEAMER_EXCLUSIVE_ROLE": "Generator",
            "CODEBEAMER_REQUESTS_PER_SECOND": "0",
            "CODEBEAMER_REQUESTS_PER_MINUTE": "0",
            **self.env,
        }

    def environment(self, **changes: str) -> dict[str, str]:
        """Return the environment of a process: the machine's without ours."""
        bare = {k: v for k, v in os.environ.items() if not k.startswith("CODEBEAMER_")}
        given = {**self.variables, "PYTHONWARNINGS": "error", **changes}
        return {**bare, **{k: v for k, v in given.items() if v}}

    def start(self, *args: str, **changes: str) -> subprocess.Popen[str]:
        """Start a command as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "airflow_codebeamer.cli", *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment(**changes),
        )

    def process(self, *args: str, **changes: str) -> Ran:
        """Run a command to its end as a process of its own."""
        process = self.start(*args, **changes)
        out, err = process.communicate(timeout=120)
        return Ran(process.returncode, out, err)

    def run(self, *args: str, **changes: str) -> Ran:
        """Run a command to its end in this process, which is much quicker."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(Path(self.store.removeprefix("sqlite:///")).parent)
            for name, value in {**self.variables, **changes}.items():
                patch.setenv(name, value)
            with redirect_stdout(out), redirect_stderr(err):
                code = main(args)
        return Ran(code, out.getvalue(), err.getvalue())

    def json(self, *args: str, **changes: str) -> Any:
        """Run a command that must succeed; return its document."""
        ran = self.run(*args, "--json", **changes)
        assert ran.code == 0, ran.err + ran.out
        return ran.document


@pytest.fixture
def server() -> Iterator[Emulator]:
    with Emulator(world="demo") as emulator:
        yield emulator


@pytest.fixture
def commands(server: Emulator, tmp_path: Path) -> Commands:
    return Commands(server.url, f"sqlite:///{tmp_path / 'locks.db'}")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


@pytest.fixture
def writes(server: Emulator) -> Any:
    """Return a function: every call so far that changed something or would have."""

    def list_writes() -> list[str]:
        return [
            f"{call['method']} {call['path']}"
            for call in server.calls()
            if call["method"] != "GET"
            and not call["path"].endswith(("/query", "/search"))
        ]

    return list_writes
