from __future__ import annotations

import argparse

import pytest

airflow = pytest.importorskip("airflow")


@pytest.mark.airflow
def test_airflow_passes_everything_on(capsys: pytest.CaptureFixture[str]) -> None:
    from airflow_codebeamer.cli.provider import get_commands

    (command,) = get_commands()
    assert command.name == "codebeamer"
    parser = argparse.ArgumentParser()
    for arg in command.args:
        arg.add_to_parser(parser)
    for given, says in (
        (["emulator", "differences", "--json"], '"differences"'),
        (["help"], "recover"),
        ([], "recover"),
    ):
        with pytest.raises(SystemExit) as ended:
            command.func(parser.parse_args(given))
        assert ended.value.code == 0
        assert says in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        command.func(parser.parse_args(["lock", "acquire", "x", "--owner", "me"]))
    assert ended.value.code == 64
