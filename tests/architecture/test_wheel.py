"""What pip installs: built from this tree, looked into, installed and imported."""

from __future__ import annotations

import os
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from zipfile import ZipFile

import pytest

import airflow_codebeamer

ROOT = Path(airflow_codebeamer.__file__).parents[1]
PACKAGE = ROOT / "airflow_codebeamer"


def pip(*arguments: str) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"),
            *arguments,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # No isolation: that would download the build's tools.
    pip(
        *("wheel", "--no-deps", "--no-index", "--no-build-isolation"),
        *("--wheel-dir", str(folder), str(ROOT)),
    )
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_has_every_file_of_the_package(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
    wanted = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {
        "airflow_codebeamer/py.typed",
        "airflow_codebeamer/emulator/contract.json",
        "airflow_codebeamer/emulator/differences.json",
    } <= wanted
    assert wanted <= names
    others = {name for name in names - wanted if ".dist-info/" not in name}
    assert others == set()


def test_the_wheel_announces_provider_plugin_command_and_generator(
    wheel: Path,
) -> None:
    with ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith("entry_points.txt")]
        points = ConfigParser(delimiters=("=",))
        points.read_string(archive.read(name).decode())
    assert set(points.sections()) == {
        "airflow.plugins",
        "airflow.policy",
        "airflow_codebeamer.generators",
        "apache_airflow_provider",
        "console_scripts",
        "pytest11",
    }
    for section in points.sections():
        for target in points[section].values():
            module, _, attribute = target.partition(":")
            found = __import__(module, fromlist=[attribute])
            assert not attribute or hasattr(found, attribute), target


def test_what_is_installed_can_be_imported(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    pip("install", "--no-deps", "--no-index", "--target", str(target), str(wheel))
    program = (
        "import airflow_codebeamer.wiring, airflow_codebeamer.emulator as e\n"
        "from airflow_codebeamer.cli.main import main\n"
        "assert e.coverage() and e.differences()\n"
        "print(airflow_codebeamer.__file__)\n"
        "raise SystemExit(main(['--version']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    place, version = done.stdout.split()
    assert Path(place).is_relative_to(target)
    assert version == airflow_codebeamer.__version__
