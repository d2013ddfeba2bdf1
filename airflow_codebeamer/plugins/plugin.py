"""CodebeamerPlugin: the buttons on our tasks, and the listener; no work on import."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin
from airflow.providers.common.compat.sdk import conf

from airflow_codebeamer.operators import HolderLink, TrackerLink
from airflow_codebeamer.plugins import listener

_SWITCH = ("codebeamer", "listener")

__all__ = ["CodebeamerPlugin"]


def _listeners() -> list[Any]:
    """Return our listener, unless the configuration turns it off."""
    return [listener] if conf.getboolean(*_SWITCH, fallback=True) else []


class CodebeamerPlugin(AirflowPlugin):
    """Registers what our tasks show beside themselves, and what counts them."""

    name = "codebeamer"
    operator_extra_links = [TrackerLink(), HolderLink()]  # noqa: RUF012
    listeners = _listeners()
