"""What we had to choose where no public document says how a server behaves.

Each entry names the question, what was chosen, what would change if the choice
is wrong, and where the choice comes from. Entries with a switch can be turned
in a world's `assumptions`, so that both answers can be tested against.
"""

from __future__ import annotations

import copy
import functools
import json
from importlib import resources
from typing import Any

__all__ = ["default_assumptions", "differences"]


@functools.cache
def _entries() -> list[dict[str, Any]]:
    """Return the order of judging, then everything else that we had to choose."""
    folder = resources.files(__package__)
    order = json.loads(folder.joinpath("order.json").read_text("utf-8"))
    chosen = json.loads(folder.joinpath("differences.json").read_text("utf-8"))
    return [*order["steps"], *chosen]


def differences() -> list[dict[str, Any]]:
    """Return every known or possible difference from a real server."""
    return copy.deepcopy(_entries())


def default_assumptions() -> dict[str, Any]:
    """Return every switch with the answer that is chosen when nobody asks."""
    return {
        entry["switch"]: entry["default"] for entry in _entries() if "switch" in entry
    }
