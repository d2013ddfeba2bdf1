"""Whether a DAG may lock without a teardown: Airflow asks for each DAG it parses.

Imported while Airflow starts, so it imports nothing of Airflow before it is asked.
"""

from __future__ import annotations

import logging
from typing import Any

import pluggy

__all__ = ["dag_policy"]

hookimpl = pluggy.HookimplMarker("airflow.policy")
log = logging.getLogger(__name__)


@hookimpl
def dag_policy(dag: Any) -> None:
    """Refuse a DAG whose locks no teardown gives back, if the configuration says so.

    Off unless `[codebeamer] require_unlock` is set. A DAG that cannot be judged is
    let through, with a log line.

    Raises:
        AirflowClusterPolicyViolation: names the tasks; it becomes the import error
            of the DAG's file.
    """
    try:
        found = _found(dag)
    except Exception as error:
        log.warning("%s is let through unjudged: %s", dag, error)
        return
    if found:
        from airflow.exceptions import AirflowClusterPolicyViolation

        raise AirflowClusterPolicyViolation(" ".join(found))


def _found(dag: Any) -> list[str]:
    from airflow.providers.common.compat.sdk import conf

    if not conf.getboolean("codebeamer", "require_unlock", fallback=False):
        return []
    from airflow_codebeamer.operators.owed import find_unreleased

    return [str(one) for one in find_unreleased(dag)]
