"""The search needs a run to search; where none is named it is left out."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    if config.getoption("--swept") is None:
        idle = [item for item in items if "swept" in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=idle)
        items[:] = [item for item in items if item not in idle]


@pytest.fixture(scope="session")
def swept(request: pytest.FixtureRequest) -> Path:
    """Return the folder with everything that the run left."""
    folder: Path = request.config.getoption("--swept")
    return folder
