"""A real Airflow on SQLite for these tests, made once for each test process.

Whatever needs Airflow's database runs in a process of its own, the driver, so
that Airflow's own warnings and settings stay out of the tests' process.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from airflow_codebeamer.emulator import Emulator, demo_world
from airflow_codebeamer.settings import (
    LockSettings,
    ServerSettings,
    Settings,
    StoreSettings,
)
from airflow_codebeamer.wiring import Codebeamer, connect

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]

# Importing Airflow writes into its home: make that a place of ours.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-home-")
atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)


def airflow_env(home: Path) -> dict[str, str]:
    """Return the environment of an Airflow that lives in `home`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "CODEBEAMER"))
    }
    return {
        **kept,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__CODEBEAMER__POLL_SECONDS": "0.2",
        "PYTHONPATH": str(HERE / "programs"),
        "NO_COLOR": "1",
    }


@pytest.fixture(scope="session")
def migrated_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an Airflow home with a fresh database, made once for all processes."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    home = base / "airflow-migrated"
    with (base / "airflow-migrated.lock").open("a") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (home / "done").exists():
            home.mkdir(exist_ok=True)
            (home / "dags").mkdir(exist_ok=True)
            made = subprocess.run(
                [sys.executable, "-m", "airflow", "db", "migrate"],
                env=airflow_env(home),
                capture_output=True,
                text=True,
                check=False,
            )
            assert made.returncode == 0, made.stdout + made.stderr
            (home / "done").touch()
    return home


class Driver:
    """Runs DAGs under a real Airflow, in one process of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "programs" / "driver.py")],
            env={**airflow_env(home), "DRIVER_LOG": str(home / "driver.log")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, what: str, **order: Any) -> dict[str, Any]:
        """Send an order, return its answer; `log` is what Airflow printed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"what": what, **order}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"] + answer["log"]
        return answer

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(30)


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the DAGs of the page about own tasks, as they stand."""
    folder = tmp_path_factory.mktemp("examples")
    page = (REPOSITORY / "docs" / "howto" / "own-tasks.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    for number, block in enumerate(blocks):
        (folder / f"own_tasks_{number}.py").write_text(block)
    return folder


@pytest.fixture(scope="session")
def driver(
    migrated_home: Path, examples: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Driver]:
    """Yield a driver with our DAGs and the tests' DAGs in its folder."""
    home = tmp_path_factory.mktemp("airflow")
    shutil.copy(migrated_home / "airflow.db", home / "airflow.db")
    folder = home / "dags"
    folder.mkdir()
    ours = (REPOSITORY / "dags").glob("*.py")
    for source in (*ours, *programs(), *examples.glob("*.py")):
        shutil.copy(source, folder)
    driver = Driver(home)
    yield driver
    driver.close()


def programs() -> list[Path]:
    return sorted((HERE / "programs" / "dags").glob("*.py"))


@pytest.fixture
def driver_env(migrated_home: Path) -> dict[str, str]:
    """Return the environment of a real Airflow, for programs of a test's own."""
    return airflow_env(migrated_home)


@dataclass
class Site:
    """A server, a lock store, and how an Airflow reaches both."""

    server: Emulator
    store_path: Path
    secret: str = field(repr=False)

    @property
    def store(self) -> str:
        """The lock store's address."""
        return f"sqlite:///{self.store_path}"

    def connection(self, **extra: Any) -> str:
        """Return the Airflow connection as JSON."""
        return json.dumps(
            {
                "conn_type": "codebeamer",
                "host": self.server.url,
                "login": "generator",
                "password": self.secret,
                "extra": {
                    "exclusive_role": "Generator",
                    "requests_per_second": "off",
                    "requests_per_minute": "off",
                    **extra,
                },
            }
        )

    def env(self, **extra: Any) -> dict[str, str]:
        """Return what an Airflow process needs in its environment."""
        return {
            "AIRFLOW_CONN_CODEBEAMER_DEFAULT": self.connection(**extra),
            "AIRFLOW__CODEBEAMER__LOCK_STORE": self.store,
        }

    def settings(self, **lock: Any) -> Settings:
        """Return settings for a process that is not Airflow."""
        return Settings(
            server=ServerSettings(
                url=self.server.url,
                login="generator",
                password=SecretStr(self.secret),
                exclusive_role="Generator",
                requests_per_second=None,
                requests_per_minute=None,
            ),
            store=StoreSettings(url=SecretStr(self.store)),
            lock=LockSettings(**lock),
        )

    def owners(self) -> dict[int, str]:
        """Return who holds which tracker."""
        with connect(self.settings()) as codebeamer:
            return {
                int(lock.tracker_id): lock.owner.key
                for lock in codebeamer.status.list_locks()
                if lock.state.value != "free"
            }


@pytest.fixture
def site(tmp_path: Path, canary: Any) -> Iterator[Site]:
    """Yield the demo world on a server of its own, and an empty lock store."""
    with Emulator(world=canary.world(demo_world())) as server:
        yield Site(server, tmp_path / "locks.db", canary.secret)
        canary.used("airflow", server.calls())


@pytest.fixture(scope="session", autouse=True)
def _home_kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Leave this process's Airflow home to the search for secrets."""
    yield
    kept = tmp_path_factory.getbasetemp() / "airflow-home"
    shutil.copytree(os.environ["AIRFLOW_HOME"], kept)


@pytest.fixture
def here(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Return the site, with this process's environment pointing at it."""
    for name, value in site.env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AIRFLOW__CODEBEAMER__POLL_SECONDS", "0.1")
    return site


@pytest.fixture
def elsewhere(site: Site) -> Iterator[Codebeamer]:
    """Yield the engines of somebody who is no Airflow."""
    with connect(site.settings()) as codebeamer:
        yield codebeamer
