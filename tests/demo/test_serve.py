from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import requests

from airflow_codebeamer.demo.serve import form_variables, free_or_any

UP = """
import sys
from airflow_codebeamer.demo import serve_until_stopped

sys.exit(serve_until_stopped(port=0, emulator_port=0))
"""


def test_a_port_that_is_taken_is_replaced_by_any() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = listener.getsockname()[1]
        assert free_or_any(taken) == 0
    assert free_or_any(taken) == taken


def test_the_form_is_filled_from_variables() -> None:
    form = form_variables()
    assert form["AIRFLOW_VAR_CODEBEAMER_GENERATOR_TRACKER"] == "2001"
    arguments = json.loads(form["AIRFLOW_VAR_CODEBEAMER_GENERATOR_ARGUMENTS"])
    assert Path(arguments["dbc"]).is_file()


@pytest.mark.airflow
@pytest.mark.timeout(240)
def test_everything_is_up_until_it_is_stopped(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with out.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", UP],
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
    try:
        told = wait_for(out, "over REST is refused", process)
        assert "the form has tracker 2001" in told
        assert "not\n  listed under" in re.sub(r"\n\S* +", "\n  ", told)
        address = re.search(r"Airflow +(http://\S+)$", told, re.MULTILINE)
        password = re.search(r"password (\S+)$", told, re.MULTILINE)
        assert address
        assert password
        answer = requests.post(
            f"{address[1]}/auth/token",
            json={"username": "admin", "password": password[1]},
            timeout=30,
        )
        assert answer.status_code == requests.codes.created
        token = answer.json()["access_token"]
        details = requests.get(
            f"{address[1]}/api/v2/dags/codebeamer_generator/details",
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        ).json()
        form = details["params"]
        asked = ["tracker_id", "generator", "arguments", "reason"]
        assert list(form) == [*asked, "priority", "wait_for", "skip_if_locked"]
        assert form["tracker_id"]["value"] == 2001
        assert details["owners"] == ["codebeamer"]
        below = psutil.Process(process.pid).children(recursive=True)
        assert len(below) > 6

        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert "Stopped." in out.read_text("utf-8")
        assert [one for one in below if is_alive(one)] == []
        assert list(tmp_path.glob("codebeamer-up-*")) == []
    finally:
        process.kill()
        process.wait()


def wait_for(out: Path, text: str, process: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + 180
    while text not in (told := out.read_text("utf-8")):
        assert process.poll() is None, told
        assert time.monotonic() < until, told
        time.sleep(0.2)
    return told


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
