"""Programs that speak Dagster Pipes, with the real package, know nothing of us."""

from __future__ import annotations

import sys

import pytest

from airflow_codebeamer.errors import GeneratorFailedError, GeneratorProtocolError
from airflow_codebeamer.generator import Program
from tests.generator.launchers.conftest import Stage

HEAD = """
from dagster_pipes import open_dagster_pipes
with open_dagster_pipes() as pipes:
    assert pipes.run_id == "dag/run", pipes.run_id
    assert pipes.extras["params"] == {"size": 3}, pipes.extras
"""


def program(stage: Stage, text: str, **more: object) -> Program:
    path = stage.folder / "pipes.py"
    path.write_text(HEAD + "".join(f"    {line}\n" for line in text.splitlines()))
    return Program.model_validate(
        {"command": (sys.executable, str(path)), "name": "pipes", **more}
    )


@pytest.mark.parametrize("channel", ["file", "stdout"])
def test_a_program_as_it_is_found_in_the_wild(stage: Stage, channel: str) -> None:
    text = """
pipes.log.warning("half of it is missing")
pipes.report_asset_materialization(asset_key="rows", metadata={"rows": 12})
pipes.report_custom_message({"anything": [1, 2]})
"""
    document = stage.run(program(stage, text, messages=channel), {"size": 3})
    assert document.items == ()
    said = "\n".join(stage.lines)
    assert "pipes: WARNING: half of it is missing" in said
    assert "report_asset_materialization" in said
    assert '"rows"' in said
    assert 'report: {"anything": [1, 2]}' in said


def test_it_describes_items_by_custom_messages(stage: Stage) -> None:
    text = """
for key in "ab":
    pipes.report_custom_message(
        {"method": "item", "params": {"key": key, "name": key.upper()}})
pipes.report_custom_message({"method": "progress", "params": {"done": 2, "total": 2}})
"""
    document = stage.run(program(stage, text), {"size": 3})
    assert [item.name for item in document.items] == ["A", "B"]
    assert [one.done for one in stage.progress] == [2]


def test_its_exception_and_a_wrong_item_are_told(stage: Stage) -> None:
    with pytest.raises(GeneratorFailedError, match="ValueError: no such model"):
        stage.run(program(stage, 'raise ValueError("no such model")'), {"size": 3})
    text = 'pipes.report_custom_message({"method": "item", "params": {"key": "a"}})'
    with pytest.raises(GeneratorProtocolError, match="'name' is missing") as caught:
        stage.run(program(stage, text), {"size": 3})
    assert caught.value.line == 2
