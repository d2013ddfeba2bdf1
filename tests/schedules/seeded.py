"""Put seeded bugs into a copy of our own code, and count the schedules that see them.

The unchanged copy plays the same schedules first, and none of them may be bad.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.seeded.applying import Copy, seeded
from tests.seeded.bugs import BUGS

__all__ = ["CHOSEN", "measure"]

#: One against each of the rules that schedules look at.
CHOSEN = (
    "blind restore",
    "new snapshot",
    "stale snapshot",
    "no scrub",
)
#: Every single disturbance of a run with one role.
_SLICE = ("--alone", "--roles", "1", "--workers", "1", "--figures", "--forms")


def measure() -> dict[str, tuple[int, int]]:
    """Return how many schedules were played and how many were bad, by bug.

    Raises:
        RuntimeError: the unchanged code is bad, or a copy could not be played.
    """
    found: dict[str, tuple[int, int]] = {}
    with tempfile.TemporaryDirectory(prefix="seeded") as folder:
        place = Path(folder).resolve()
        copy = Copy(place)
        if (clean := _play(place))[1]:
            raise RuntimeError(f"bad without any bug: {clean}")
        for bug in (bug for bug in BUGS if bug.name in CHOSEN):
            changed = seeded(bug, copy.package)
            before = {name: (copy.package / name).read_text() for name in changed}
            for name, text in changed.items():
                (copy.package / name).write_text(text)
            found[bug.name] = _play(place)
            for name, text in before.items():
                (copy.package / name).write_text(text)
            sys.stdout.write(f"{bug.name}: {found[bug.name]}\n")
    return found


def _play(place: Path) -> tuple[int, int]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.schedules", *_SLICE],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        figures = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        raise RuntimeError(f"not played:\n{done.stdout}{done.stderr}") from None
    return figures["schedules"], figures["bad"]
