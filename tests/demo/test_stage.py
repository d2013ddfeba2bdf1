from __future__ import annotations

import io
import json
import os
import signal
from pathlib import Path

import pytest

from airflow_codebeamer.demo import Stage, run_demo
from airflow_codebeamer.demo.onlooker import Onlooker
from airflow_codebeamer.demo.stage import dag_files, ended_by_signals
from airflow_codebeamer.errors import DemoError


def test_the_dag_files_of_the_checkout_are_found() -> None:
    assert [path.name for path in dag_files()] == [
        "codebeamer_generator.py",
        "codebeamer_lock_janitor.py",
    ]


def test_a_stage_that_is_not_up_says_so(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    assert stage.find_lock() is None
    with pytest.raises(DemoError, match="not up"):
        stage.airflow.list_pids()


def test_no_secret_of_the_connection_is_a_word_of_the_logs(tmp_path: Path) -> None:
    """Airflow hides secrets in every line, so `generator` must not be one."""
    variables = Stage(tmp_path).connection()
    assert variables["login"] == "generator"
    assert "password" not in variables
    assert len(variables["extra"]["token"]) == 32


def test_an_onlooker_under_a_lock_and_without_one(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    with stage.emulator, stage.client_of("alice") as client:
        alice = Onlooker(client, stage.tracker_id)
        refused, says = alice.add()
        assert not refused
        assert "was added, in spite of the lock" in says
        (item,) = stage.items()
        assert alice.edit(item["id"])[0] is False
        assert alice.read(item["id"]) == (True, f"sees item {item['id']}, 'Edited'")
        assert alice.read(1)[0] is False

        take_rights_from_developers(stage)
        assert alice.add()[0] is True
        refused, says = alice.edit(item["id"])
        assert refused
        assert says.startswith("refused: ")
        assert alice.read(item["id"])[0] is True


def take_rights_from_developers(stage: Stage) -> None:
    with stage.client_of("bond") as client:
        trackers = client.trackers
        role_id = next(
            entry.role_id
            for entry in trackers.list_permissions(stage.tracker_id)
            if entry.role.name == "Developer"
        )
        rights = [
            right
            for right in trackers.list_known_permissions()
            if right.name in ("issue_view", "issue_view_not_own")
        ]
        trackers.set_role_permissions(stage.tracker_id, role_id, rights)


def test_sigterm_ends_a_block_and_is_itself_again_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), ended_by_signals():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_wrong_path_ends_the_demonstration_before_it_begins(tmp_path: Path) -> None:
    out = io.StringIO()
    code = run_demo(dbc=str(tmp_path / "none.dbc"), as_json=True, out=out)
    told = json.loads(out.getvalue())
    assert code == 1
    assert told["ok"] is False
    assert "there is no file" in told["steps"][0]["says"]


def test_a_file_that_is_no_dbc_ends_it_too(tmp_path: Path) -> None:
    file = tmp_path / "not.dbc"
    file.write_text("this is no CAN database", "utf-8")
    out = io.StringIO()
    assert run_demo(dbc=str(file), out=out) == 1
    assert "not.dbc" in out.getvalue()
    assert "Traceback" not in out.getvalue()
