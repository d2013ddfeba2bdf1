"""Generating: a client from a description, by openapi-python-client.

The generator wants other versions of packages than the project, so it gets a
folder of its own (`build/client-generator`), filled once from pinned versions.
What it generates needs only httpx and attrs, and is never committed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

__all__ = ["generate", "installed"]

ROOT = Path(__file__).parents[2]
PINS = Path(__file__).with_name("client-generator.txt")
BUILD = ROOT / "build"


def generate(description: Path, package: Path) -> None:
    """Write a package that speaks what the description describes."""
    config = package.with_name(f"{package.name}.yml")
    config.write_text("post_hooks: []\n")
    run = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
    where = ["--path", str(description), "--output-path", str(package)]
    done = subprocess.run(
        [*run, *where, "--config", str(config), "--overwrite"],
        env={**os.environ, "PYTHONPATH": str(installed(PINS))},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode or not (package / "client.py").exists():
        raise RuntimeError(f"No client was generated: {done.stderr[-2000:]}")


def installed(pins: Path) -> Path:
    """Return a folder with the packages of a list of pins, filled on first use."""
    version = hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = BUILD / f"{pins.stem}-{version}"
    BUILD.mkdir(exist_ok=True)
    with (BUILD / f"{pins.stem}.lock").open("a") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            subprocess.run(
                [
                    *(sys.executable, "-m", "pip", "install", "--quiet"),
                    *("--disable-pip-version-check", "--no-deps"),
                    *("--target", str(folder), "--requirement", str(pins)),
                ],
                check=True,
                timeout=300,
            )
            (folder / "complete").touch()
    return folder
