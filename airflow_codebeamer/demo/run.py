"""`run_demo`: put up the stage, tell the story, say how it went."""

from __future__ import annotations

import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

from airflow_codebeamer.demo.expectation import dbc_path, read_expectation
from airflow_codebeamer.demo.screen import Screen
from airflow_codebeamer.demo.stage import Stage, ended_by_signals
from airflow_codebeamer.demo.story import Story
from airflow_codebeamer.errors import CodebeamerError

__all__ = ["run_demo"]

_LOG_WIDTH = 200


def run_demo(
    *,
    dbc: str | None = None,
    keep: bool = False,
    as_json: bool = False,
    out: TextIO | None = None,
) -> int:
    """Show the main job on real Airflow and an emulated Codebeamer.

    `dbc` is the path of a CAN database; without it one from the package
    `opendbc` is taken. Everything happens in a temporary folder, which is
    removed when all went well, unless `keep` says otherwise. Returns the exit
    code: 0 only if every step did what it should.
    """
    screen = Screen(as_json=as_json, out=out)
    folder = Path(tempfile.mkdtemp(prefix="codebeamer-demo-"))
    try:
        with ended_by_signals():
            _show(folder, screen, dbc)
    except CodebeamerError as error:
        screen.step("demonstration", False, str(error))
    except KeyboardInterrupt:
        screen.step("demonstration", False, "stopped by hand")
    stays = (keep or not screen.is_ok) and any(folder.iterdir())
    if not stays:
        shutil.rmtree(folder, ignore_errors=True)
    done = "Everything did what it should" if screen.is_ok else "Something went wrong"
    screen.title(f"{done}, in {screen.seconds:.0f} s.")
    if stays:
        screen.say(f"Logs, databases and task logs are in {folder}")
    screen.finish(folder=str(folder) if stays else None)
    return 0 if screen.is_ok else 1


def _show(folder: Path, screen: Screen, dbc: str | None) -> None:
    path = dbc_path(dbc)
    wanted = read_expectation(path)
    screen.title(f"The stage: Airflow {version('apache-airflow')}, an emulated server")
    screen.say(
        f"{path.name} has {len(wanted.frames)} frames with {wanted.signals} signals"
    )
    with Stage(folder, say=screen.say) as stage:
        try:
            Story(stage, screen, path, wanted).tell()
        finally:
            if not screen.is_ok:
                for line in stage.airflow.last_lines(3).splitlines():
                    screen.say(line[:_LOG_WIDTH])
