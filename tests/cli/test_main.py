"""Every command as a process of its own, as people and scripts run it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer import __version__
from airflow_codebeamer.cli.main import app, main
from airflow_codebeamer.emulator import DEMO_TRACKER_ID

TRACKER = str(DEMO_TRACKER_ID)


def test_every_command_as_a_process(commands: Any, small: Path) -> None:
    steps: list[tuple[int, tuple[str, ...]]] = [
        (0, ("store", "migrate")),
        (0, ("store", "check")),
        (0, ("doctor", TRACKER)),
        (0, ("lock", "acquire", TRACKER, "--owner", "me")),
        (3, ("lock", "acquire", TRACKER, "--owner", "you")),
        (0, ("lock", "list")),
        (0, ("lock", "show", TRACKER)),
        (0, ("lock", "release", "--owner", "me")),
        (0, ("lock", "history", TRACKER)),
        (0, ("recover", "--dry-run")),
        (2, ("plan", str(small))),
        (0, ("apply", str(small))),
        (0, ("emulator", "differences")),
        (0, ("emulator", "coverage")),
        (64, ("up",)),
    ]
    for code, args in steps:
        ran = commands.process(*args, "--json")
        assert ran.code == code, f"{args}: {ran.err}{ran.out}"
        assert isinstance(json.loads(ran.out), dict), args
        assert "Traceback" not in ran.err


def test_the_emulator_says_where_it_listens_and_ends_quietly(commands: Any) -> None:
    args = ("emulator", "serve", "--world", "empty", "--latency", "1ms")
    for stop, more in ((signal.SIGINT, ()), (signal.SIGTERM, ("--json",))):
        process = commands.start(*args, *more, CODEBEAMER_URL="")
        assert process.stdout is not None
        first = process.stdout.readline()
        if more:
            while not first.rstrip().endswith("}"):
                first += process.stdout.readline()
            url = json.loads(first)["url"]
        else:
            found = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+/cb)\n", first)
            assert found is not None
            url = found[1]
        health = url.removesuffix("/cb") + "/emulator/health"
        with urllib.request.urlopen(health, timeout=10) as answer:  # noqa: S310
            assert answer.status == 200
        process.send_signal(stop)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out, err) == (0, "", "")


def test_a_world_comes_from_a_file(commands: Any, tmp_path: Path) -> None:
    from airflow_codebeamer.emulator import demo_world

    world = demo_world()
    world["projects"][0]["name"] = "Steering"
    file = tmp_path / "world.json"
    file.write_text(json.dumps(world))
    process = commands.start("emulator", "serve", "--world", str(file))
    assert process.stdout is not None
    url = process.stdout.readline().split()[-1]
    ran = commands.run("doctor", CODEBEAMER_URL=url, CODEBEAMER_PASSWORD="generator")
    process.terminate()
    process.communicate(timeout=20)
    assert "Steering" in ran.out


def test_the_installed_command_is_this_one() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "airflow_codebeamer.cli", "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, f"{__version__}\n")


def test_a_reader_that_leaves_is_no_traceback(commands: Any) -> None:
    process = commands.start("emulator", "coverage")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == 1
    assert err == ""


def commands_of(group: Any, *names: str) -> list[tuple[str, ...]]:
    from typer.main import get_command

    top = get_command(group)
    found: list[tuple[str, ...]] = []
    for name, command in top.commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        found += [(name, one) for one in below] if below else [(name,)]
    return found


@pytest.mark.parametrize("names", commands_of(app), ids=" ".join)
def test_every_command_has_help_and_the_shared_options(
    names: tuple[str, ...], capsys: Any
) -> None:
    assert main([*names, "--help"]) == 0
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) > 5
    for option in ("--json", "--debug", "--url", "--store"):
        assert option in shown
    assert "Raises" not in shown
