"""A server and our engines, as the room of generators has them."""

from __future__ import annotations

from tests.generator.conftest import codebeamer, open_codebeamer, server, settings

__all__ = ["codebeamer", "open_codebeamer", "server", "settings"]
