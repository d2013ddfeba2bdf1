"""What a user writes is what mypy accepts, and what is wrong it refuses."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
USAGE = ROOT / "tests/typing/usage.py"


def check(file: Path) -> str:
    """Return what strict mypy says of a file; its cache is kept for the next run."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--config-file",
            str(ROOT / "pyproject.toml"),
            "--cache-dir",
            str(ROOT / "build/mypy-usage"),
            "--no-error-summary",
            str(file),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_the_public_api_is_typed_as_it_is_used() -> None:
    assert check(USAGE) == ""


def test_what_is_marked_as_wrong_is_refused(tmp_path: Path) -> None:
    """Without the marks each of those lines is an error, and no other line is."""
    text = USAGE.read_text()
    marked = {
        number
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(r"  # type: ignore\[", line)
    }
    assert len(marked) >= 10
    bare = tmp_path / "usage.py"
    bare.write_text(re.sub(r"  # type: ignore\[[a-z, -]+\]", "", text))
    told = re.findall(r"^[^\n]*usage\.py:(\d+): error:", check(bare), re.M)
    assert {int(number) for number in told} == marked
