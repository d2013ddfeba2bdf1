"""Every few minutes: finish what crashed runs left of their locks.

In a file of its own, so that no other DAG can break it. For times when Airflow
itself is down, run `airflow-codebeamer recover` from cron or systemd as well.
A failed run of this DAG means that a person is needed; its log says for what.
"""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk import DAG

from airflow_codebeamer.operators import RecoverLocksOperator

PREFIX = "AIRFLOW_VAR_CODEBEAMER_LOCK_JANITOR_"

with DAG(
    dag_id="codebeamer_lock_janitor",
    schedule=os.environ.get(f"{PREFIX}SCHEDULE", "*/3 * * * *"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args={"owner": "codebeamer"},
    tags={"codebeamer"},
    description="Finish expired and half-done locks",
    doc_md=__doc__,
) as dag:
    RecoverLocksOperator(
        task_id="recover",
        codebeamer_conn_id=os.environ.get(f"{PREFIX}CONN_ID", "codebeamer_default"),
        retries=2,
        retry_delay=timedelta(seconds=20),
    )
