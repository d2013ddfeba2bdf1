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
    """Return all entries; `about` says which of four lists one is from."""
    folder = resources.files(__package__)
    order = json.loads(folder.joinpath("order.json").read_text("utf-8"))
    chosen = json.loads(folder.joinpath("differences.json").read_text("utf-8"))
    releases = json.loads(folder.joinpath("releases.json").read_text("utf-8"))
    explained = json.loads(folder.joinpath("explained.json").read_text("utf-8"))
    return [
        *({"about": "order", **entry} for entry in order["steps"]),
        *({"about": "behaviour", **entry} for entry in chosen),
        *({"about": "release", **entry} for entry in releases),
        *({"about": "description", **entry} for entry in explained),
    ]


def differences() -> list[dict[str, Any]]:
    """Return every known or possible difference from a real server."""
    return copy.deepcopy(_entries())


def default_assumptions() -> dict[str, Any]:
    """Return every switch with the answer that is chosen when nobody asks."""
    return {
        entry["switch"]: entry["default"] for entry in _entries() if "switch" in entry
    }
