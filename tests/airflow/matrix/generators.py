"""What the rows' generators do; copied beside Airflow, imported by its tasks."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

COUNT = 40


def numbered() -> Iterator[dict[str, Any]]:
    """Describe a folder with items in it."""
    yield {"key": "folder", "name": "folder", "type": "Folder"}
    for number in range(1, COUNT):
        yield {"key": f"n{number}", "name": f"n{number}", "parent": "folder"}


def tagged(tag: str, count: int = 12) -> Iterator[dict[str, Any]]:
    """Describe a folder of one run's own; its tag is in every name."""
    yield {"key": tag, "name": f"{tag} folder", "type": "Folder"}
    for number in range(1, count):
        yield {"key": f"{tag}/{number}", "name": f"{tag} n{number}", "parent": tag}


def raising(context: Any) -> Iterator[dict[str, Any]]:
    """Raise in the middle of the description."""
    yield from list(numbered())[:10]
    if not context.dry_run:
        raise ValueError("the model ends in the middle")


def leaving(context: Any) -> Iterator[dict[str, Any]]:
    """Leave the interpreter in the middle of the description."""
    yield from list(numbered())[:10]
    if not context.dry_run:
        sys.exit(3)


def exiting(context: Any) -> Iterator[dict[str, Any]]:
    """End the process without a word, in the middle of the writing."""
    _later(context, lambda: os._exit(9))
    yield from numbered()


def crashing(context: Any) -> Iterator[dict[str, Any]]:
    """Touch memory that is not there, in the middle of the writing."""
    _later(context, lambda: ctypes.string_at(0))
    yield from numbered()


def skipping() -> None:
    """Skip, as a task of somebody's own may."""
    from airflow.providers.common.compat.sdk import AirflowSkipException

    raise AirflowSkipException("nothing to do after all")


def _later(context: Any, act: Any) -> None:
    if not context.dry_run:
        timer = threading.Timer(4.0, act)
        timer.daemon = True
        timer.start()
