"""DAGs with programs of any language, and with an operator between the locks."""

from __future__ import annotations

import json
import sys
from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

from airflow_codebeamer.generator import Program
from airflow_codebeamer.notifications import release_locks
from airflow_codebeamer.operators import RunGeneratorOperator
from airflow_codebeamer.template import exclusive_tracker, generator_dag

#: Streams as many items as it is told, or says that there is nothing to do.
STREAM = """
import json, os, sys
size = json.load(open(os.environ["CB_GEN_CONTEXT"]))["params"].get("size", 2)
if not size:
    sys.exit(99)
say = lambda method, **params: print(
    json.dumps({"cbgen": "1", "method": method, "params": params}))
for number in range(size):
    say("item", key=f"t:{number}", name=f"Item {number}")
    say("progress", done=number + 1, total=size, phase="describe")
say("result")
"""

#: Writes one item through the address and account that it is given.
DELEGATE = """
import base64, json, os, sys, urllib.request
password = open(os.environ["CB_PASSWORD_FILE"]).read()
pair = f"{os.environ['CB_USERNAME']}:{password}".encode()
urllib.request.urlopen(urllib.request.Request(
    f"{os.environ['CB_URL']}/api/v3/trackers/{os.environ['CB_TRACKER_ID']}/items",
    data=b'{"name": "Written by a program"}', method="POST",
    headers={"Authorization": "Basic " + base64.b64encode(pair).decode(),
             "Content-Type": "application/json"}))
if json.load(open(os.environ["CB_GEN_CONTEXT"]))["params"].get("fail"):
    sys.exit(65)
with open(os.environ["CB_GEN_MESSAGES"], "a") as out:
    out.write('{"cbgen": "1", "method": "result"}\\n')
"""

QUICK = {"wait_for": None, "retries": 0, "retry_delay": timedelta(0)}

generator_dag(
    "streaming",
    generator=json.dumps(
        {
            "command": [sys.executable, "-c", STREAM],
            "messages": "stdout",
            "name": "streamer",
            "document": {"identity": {"prefix": "p:"}},
        }
    ),
    **QUICK,  # type: ignore[arg-type]
)

with (
    DAG(
        "delegating",
        schedule=None,
        params={"fail": False},
        default_args={"retries": 0},
        on_failure_callback=release_locks,
    ),
    exclusive_tracker(2001, wait_for=None),
):
    RunGeneratorOperator(
        task_id="write",
        generator=Program(
            command=(sys.executable, "-c", DELEGATE), kind="delegate", name="writer"
        ),
        generator_args="{{ {'fail': params.fail} | tojson }}",
    )

with (
    DAG(
        "any_operator",
        schedule=None,
        default_args={"retries": 0},
        on_failure_callback=release_locks,
    ),
    exclusive_tracker(2001, wait_for=None, lease=timedelta(hours=2)),
):
    BashOperator(
        task_id="export",
        bash_command="echo tracker $TRACKER until $DEADLINE; "
        "echo '{}' | tee seen >/dev/null; test -n \"$DEADLINE\"",
        env={
            "TRACKER": "2001",
            "DEADLINE": "{{ ti.xcom_pull('exclusive_tracker.lock')['deadline'] }}",
        },
        append_env=True,
    )
