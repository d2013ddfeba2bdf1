"""Coverage: for each operation that the vendor declares, how far we got."""

from __future__ import annotations

from typing import Any

from airflow_codebeamer.emulator.contract import load_contract
from airflow_codebeamer.emulator.releases import RELEASE

__all__ = ["LEVELS", "coverage"]

LEVELS = ("absent", "declared", "shaped", "stateful", "documented", "verified")
"""From nothing to the same test passed against a real server."""


def coverage(release: str = RELEASE) -> list[dict[str, Any]]:
    """Return every operation that a release has, with its level."""
    contract = load_contract(release)
    entries = [
        {
            "operation": operation.id,
            "method": operation.method,
            "path": operation.path,
            "level": operation.level,
            "source": operation.source,
        }
        for operation in contract.operations.values()
    ]
    entries += [
        {
            "operation": known.id,
            "method": known.method,
            "path": known.path,
            "level": LEVELS[0],
            "source": f"vendor description {contract.release}",
        }
        for known in contract.unclaimed.values()
    ]
    return sorted(entries, key=lambda entry: (entry["path"], entry["method"]))
