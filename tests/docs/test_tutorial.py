"""Whole pages are run as they stand, in one shell, and their outputs compared."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "tutorial.md", DOCS / "howto" / "lost-store.md"]
MARK = "----8<----"


def blocks(text: str) -> list[str]:
    return re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(block: str) -> list[tuple[str, str]]:
    """Return each command with the output that the page shows for it."""
    found: list[tuple[str, str]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif line.startswith("> "):
            found[-1] = (f"{found[-1][0]}\n{line[2:]}", found[-1][1])
        else:
            found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
    return found


def looks_like(shown: str, printed: str) -> bool:
    """Compare as a reader would: `...` stands for anything, also for nothing."""
    parts = [re.escape(part) for part in shown.strip().split("...")]
    return re.fullmatch(".*".join(parts), printed.strip(), re.DOTALL) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_does_what_the_page_says(page: Path, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    steps = [
        step
        for block in blocks(page.read_text().replace("8090", port))
        for step in commands(block)
    ]
    script = "set -m\n" + "\n".join(
        f"{{\n{command}\n}} 2>&1\necho '{MARK}'" for command, _ in steps
    )
    clean = {key: value for key, value in os.environ.items() if "CODEBEAMER" not in key}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={
            **clean,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": "200",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    printed = done.stdout.split(f"{MARK}\n")
    assert len(printed) == len(steps) + 1, done.stdout + done.stderr
    wrong = [
        f"$ {command}\nshown:\n{shown}\nprinted:\n{output}"
        for (command, shown), output in zip(steps, printed, strict=False)
        if not looks_like(shown, output) and not command.startswith(("kill", "export"))
    ]
    assert not wrong, "\n\n".join(wrong)


def test_three_dots_stand_for_anything_and_nothing_else_does() -> None:
    assert looks_like("a ... c", "a b c")
    assert not looks_like("a ... c", "a b d")
    assert not looks_like("", "something")
