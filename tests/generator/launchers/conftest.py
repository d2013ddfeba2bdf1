"""Programs of a few lines, in whichever language, and what they said."""

from __future__ import annotations

import stat
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer.generator import GeneratorContext, Program
from airflow_codebeamer.generator.launchers import Surroundings, describe
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.skeleton import Progress, Skeleton
from tests.generator.speak import SPEAK

TRACKER = TrackerId(2001)


@dataclass
class Stage:
    """A folder for programs, and ears for what they say."""

    folder: Path
    lines: list[str] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    remembered: list[Any] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def python(self, text: str, **more: Any) -> Program:
        """Return a Python program that can speak."""
        path = self.folder / "program.py"
        path.write_text(SPEAK + text)
        more.setdefault("grace", timedelta(seconds=5))
        return Program(command=(sys.executable, "-S", str(path)), **more)

    def shell(self, text: str, **more: Any) -> Program:
        """Return a shell script."""
        path = self.folder / "program.sh"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return Program(command=(str(path),), **more)

    @property
    def around(self) -> Surroundings:
        """What a program has around it here."""
        return Surroundings(
            say=self.lines.append,
            progress=self.progress.append,
            warn=self.warnings.append,
            remember=self.remembered.append,
            stop=self.stop,
        )

    def run(self, program: Program, args: Any = None, **around: Any) -> Skeleton:
        """Run a program and return what it described."""
        context = GeneratorContext(TRACKER, "dag/run", args=args or {})
        (found,) = describe(program, context, replace(self.around, **around))
        return found


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


Run = Callable[..., Skeleton]
