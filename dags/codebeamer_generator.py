"""The template on demand, and on a schedule when its schedule variable is set.

Trigger it with the form: tracker, generator, arguments, reason, and what happens if
somebody else has the tracker: priority, how long to wait, whether to skip. With the
variable DEFERRABLE=true it waits in the triggerer, without a worker. For a schedule
set Airflow Variables in the environment of the DAG processor and the workers,
which costs nothing at parse time:

    AIRFLOW_VAR_CODEBEAMER_GENERATOR_SCHEDULE='0 4 * * *'
    AIRFLOW_VAR_CODEBEAMER_GENERATOR_TRACKER=2001
    AIRFLOW_VAR_CODEBEAMER_GENERATOR_NAME=can-requirements
    AIRFLOW_VAR_CODEBEAMER_GENERATOR_ARGUMENTS='{"dbc": "/data/network.dbc"}'

The schedule needs a tracker. Variables that exist only in Airflow's database
are not read here: that would be a query each time the file is parsed.
"""

from __future__ import annotations

import json
import os

from airflow_codebeamer.template import generator_dag


def variable(name: str) -> str | None:
    """Return an Airflow Variable of this DAG, as the environment has it."""
    return os.environ.get(f"AIRFLOW_VAR_CODEBEAMER_GENERATOR_{name}") or None


tracker = variable("TRACKER")

dag = generator_dag(
    "codebeamer_generator",
    generator=variable("NAME") or "airflow_codebeamer.generators.can:requirements",
    generator_args=json.loads(variable("ARGUMENTS") or "{}"),
    tracker_id=int(tracker) if tracker else None,
    schedule=variable("SCHEDULE"),
    deferrable={"true": True, "false": False}.get(
        (variable("DEFERRABLE") or "").lower()
    ),
    codebeamer_conn_id=variable("CONN_ID") or "codebeamer_default",
    description="Lock a tracker, fill it from a generator, give it back",
    doc_md=__doc__,
)
