"""What `make up` runs: everything, until somebody stops it."""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from airflow_codebeamer.clock import Clock, SystemClock
from airflow_codebeamer.demo.expectation import dbc_path
from airflow_codebeamer.demo.screen import Screen
from airflow_codebeamer.demo.stage import GENERATOR_DAG, Stage, ended_by_signals
from airflow_codebeamer.emulator import DEMO_TRACKER_ID
from airflow_codebeamer.errors import CodebeamerError, ConfigurationError, DemoError

__all__ = ["form_variables", "free_or_any", "serve_until_stopped"]

_LOOK_AGAIN_SECONDS = 1.0


def serve_until_stopped(
    *,
    port: int = 8080,
    emulator_port: int = 8085,
    postgres: bool = False,
    out: TextIO | None = None,
    clock: Clock | None = None,
) -> int:
    """Run a real Airflow with its UI and the emulator with the demo world.

    Prints the addresses and log-ins, and stops everything at Ctrl-C or SIGTERM.
    A port that is taken is replaced by a free one. Everything is kept in a
    temporary folder that is removed in the end. Returns the exit code: 0 when
    it was stopped, 1 when it could not start or a part of it ended.
    """
    screen = Screen(out=out, clock=clock)
    folder = Path(tempfile.mkdtemp(prefix="codebeamer-up-"))
    ports = (free_or_any(port), free_or_any(emulator_port))
    stage = Stage(
        folder,
        ports=ports,
        postgres=postgres,
        variables=form_variables(),
        clock=clock,
        say=screen.say,
    )
    try:
        with ended_by_signals():
            screen.title("Starting")
            with stage:
                _tell(stage, screen)
                _wait(stage, clock or SystemClock())
    except KeyboardInterrupt:
        screen.title("Stopped.")
    except CodebeamerError as error:
        screen.step("up", False, str(error))
        screen.say(f"The logs are in {folder}")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def _tell(stage: Stage, screen: Screen) -> None:
    airflow = stage.airflow
    airflow.wait_for_dag(GENERATOR_DAG)
    airflow.rest.unpause(GENERATOR_DAG)
    screen.title("Everything is up; Ctrl-C stops it.")
    for line in (
        f"Airflow     {airflow.url}",
        f"  log in as {airflow.login}, password {airflow.password}",
        "  the connection codebeamer_default comes from the environment, so it is not",
        "  listed under Admin > Connections; it writes as the account generator",
        f"Codebeamer  {stage.emulator.url} (emulated: REST only, no pages)",
        "  log in as alice, bob, bond or generator; each one's password is the name",
        f"  control   {stage.emulator.control_url}",
        f"Logs        {airflow.logs}",
        f"Trigger the DAG {GENERATOR_DAG} in Airflow, logged in as {airflow.login}:",
        f"  Dags > {GENERATOR_DAG} > Trigger (at the top right) > Trigger",
        f"  the form has tracker {stage.tracker_id}; {_arguments()}",
        "  while it runs, writing as alice or bob over REST is refused",
    ):
        screen.say(line)


def form_variables() -> dict[str, str]:
    """Return the Variables that fill the form of the generator DAG."""
    prefix = "AIRFLOW_VAR_CODEBEAMER_GENERATOR"
    form = {f"{prefix}_TRACKER": str(DEMO_TRACKER_ID)}
    with suppress(ConfigurationError):  # no CAN database here: its field stays empty
        form[f"{prefix}_ARGUMENTS"] = json.dumps({"dbc": str(dbc_path(None))})
    return form


def _arguments() -> str:
    if any(name.endswith("_ARGUMENTS") for name in form_variables()):
        return "its arguments name a CAN database"
    return 'as arguments give a CAN database, {"dbc": "/path/of/one.dbc"}'


def _wait(stage: Stage, clock: Clock) -> None:
    while True:
        clock.sleep(_LOOK_AGAIN_SECONDS)
        for component in stage.airflow.components:
            if not component.is_running:
                end = "\n".join(component.last_lines(10))
                raise DemoError(f"{component.name} ended by itself:\n{end}")


def free_or_any(port: int) -> int:
    """Return the port if nobody listens there, else 0, which asks for any."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port
