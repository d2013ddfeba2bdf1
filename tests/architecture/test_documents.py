"""Documents that cannot lie: what they name exists, what exists they name."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_generated_pages_are_what_the_code_says() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_changelog_fragment_has_a_known_heading() -> None:
    fragments = sorted((ROOT / "docs/changelog.d").glob("*.md"))
    assert fragments
    for fragment in fragments:
        headings = re.findall(r"^### (\w+)$", fragment.read_text(), re.MULTILINE)
        assert headings, fragment.name
        assert set(headings) <= {"Added", "Changed", "Fixed", "Removed"}


def test_the_glossary_is_sorted() -> None:
    words = re.findall(
        r"^\| ([a-z ]+) \|", (ROOT / "docs/reference/glossary.md").read_text(), re.M
    )[1:]
    assert words == sorted(words)


@pytest.mark.parametrize("target", ["demo", "test", "check", "bench", "up"])
def test_the_makefile_has_the_promised_targets(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
