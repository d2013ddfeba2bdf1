"""Airflow's own metrics, told from whichever process; never an error for the teller."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from importlib.util import find_spec
from typing import Any

__all__ = ["Facts", "tell"]

log = logging.getLogger(__name__)

_PREFIX = "codebeamer"


@dataclass
class Facts:
    """What a task found out that is worth a number on somebody's screen."""

    #: How often something happened: name to count.
    counts: dict[str, int] = field(default_factory=dict)
    #: How long each of several things took: pairs of name and time.
    spans: list[tuple[str, timedelta]] = field(default_factory=list)
    #: How many there are right now: name to number.
    gauges: dict[str, int] = field(default_factory=dict)


def tell(
    facts: Facts, tags: Mapping[str, str] | None = None, *, in_task: bool = True
) -> None:
    """Pass facts on to what `[metrics]` of the configuration names, if anything.

    The process of a task has metrics of its own in Airflow; scheduler, triggerer,
    DAG processor and API server share the others. An error becomes a log line.
    """
    try:
        stats = _stats(in_task)
        known = dict(tags or {})
        for name, count in facts.counts.items():
            if count:
                stats.incr(f"{_PREFIX}.{name}", count, tags=known)
        for name, span in facts.spans:
            stats.timing(f"{_PREFIX}.{name}", span, tags=known)
        for name, value in facts.gauges.items():
            stats.gauge(f"{_PREFIX}.{name}", value)
    except Exception as error:
        log.warning("Metrics are not told: %s: %s", type(error).__name__, error)


def _stats(in_task: bool) -> Any:
    """Return the metrics of this process; Airflow 3.1 has the same for all."""
    places = ["airflow.sdk.observability", "airflow.observability"]
    package = next(filter(find_spec, places if in_task else places[1:]), "airflow")
    stats = import_module(f"{package}.stats")
    # Before 3.3 they are methods of a class there, not functions of the module.
    return stats if hasattr(stats, "incr") else stats.Stats
