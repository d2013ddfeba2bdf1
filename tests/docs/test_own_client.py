"""The page for people with a client of their own is run as its reader would."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "test-your-own-client.md"
FILES = re.findall(
    r'^```python title="(\S+)"\n(.*?)^```$', PAGE.read_text(), re.M | re.S
)
#: Where this checkout is installed pytest loads the plugin by its entry point.
INSTALLED = any(
    one.value == "airflow_codebeamer.pytest_plugin"
    for one in importlib.metadata.entry_points(group="pytest11")
)
PLUGIN = [] if INSTALLED else ["-p", "airflow_codebeamer.pytest_plugin"]


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *PLUGIN],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def write(folder: Path) -> None:
    for name, text in FILES:
        (folder / name).write_text(text)


def test_the_pages_tests_pass(tmp_path: Path) -> None:
    write(tmp_path)
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "6 passed" in done.stdout


def test_they_find_a_client_that_gives_up_and_a_fault_nobody_met(
    tmp_path: Path,
) -> None:
    write(tmp_path)
    client = tmp_path / "renaming.py"
    client.write_text(client.read_text().replace("(403, 423)", "(404,)"))
    (tmp_path / "test_fault.py").write_text(
        "def test_nothing_is_sent(codebeamer_emulator):\n"
        "    codebeamer_emulator.add_fault({'kind': 'reset'})\n"
    )
    done = run(tmp_path)
    assert done.returncode == 1
    assert "No call met these faults: 1: reset for *" in done.stdout
    for test in ("test_a_tester_may_not", "test_somebody_else_has_the_item_open"):
        assert re.search(rf"FAILED .*{test}", done.stdout)


def test_the_plugin_imports_neither_airflow_nor_the_emulator() -> None:
    code = (
        "import sys, airflow_codebeamer.pytest_plugin; "
        "loaded = {name.partition('.')[0] for name in sys.modules}; "
        "assert not loaded & {'airflow', 'aiohttp', 'sqlalchemy'}, loaded; "
        "assert 'airflow_codebeamer.emulator' not in sys.modules; "
        "import airflow_codebeamer.emulator; "
        "assert 'airflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
