"""CodebeamerPlugin: the tracker's button on our tasks; no work on import."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from airflow_codebeamer.operators import TrackerLink

__all__ = ["CodebeamerPlugin"]


class CodebeamerPlugin(AirflowPlugin):
    """Registers what our tasks show beside themselves; it listens to nothing."""

    name = "codebeamer"
    operator_extra_links = [TrackerLink()]  # noqa: RUF012
