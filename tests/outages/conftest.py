"""A stage for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.outages.stage import Stage, stage_in


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Yield a tracker, a run on it, and a clock of our own."""
    with stage_in(tmp_path) as made:
        yield made
