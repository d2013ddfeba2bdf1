"""Runs a program: what it is told, what it says, how it ends."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_codebeamer.errors import (
    CodebeamerError,
    ConfigurationError,
    GeneratorFailedError,
    GeneratorSkippedError,
    GeneratorStoppedError,
    LockLostError,
)
from airflow_codebeamer.generator.launchers.dialogue import Dialogue
from airflow_codebeamer.generator.launchers.lease import LeaseFile
from airflow_codebeamer.generator.launchers.process import Process
from airflow_codebeamer.generator.launchers.surroundings import Surroundings
from airflow_codebeamer.generator.messages import PROTOCOL
from airflow_codebeamer.generator.pipes import pipes_context, pipes_value
from airflow_codebeamer.generator.program import Program
from airflow_codebeamer.generator.protocol import GeneratorContext

__all__ = ["EXITS", "SKIP", "STOPPED", "run_program"]

#: Variables of ours, and of Airflow, that may hold secrets.
_OURS = ("AIRFLOW_CONN_", "AIRFLOW__", "_AIRFLOW", "CODEBEAMER_", "CB_")

_LISTEN_SECONDS = 0.1
#: How often the lease file is written, at most.
_LEASE_SECONDS = 1.0

#: What an exit code says, and whether a retry can help; from sysexits.h.
EXITS: Mapping[int, tuple[str, bool]] = {
    65: ("its input data is wrong", False),
    69: ("a service that it needs is not reachable", True),
    75: ("a temporary failure", True),
    77: ("it has not the permission", False),
    78: ("its configuration is wrong", False),
}
#: There is nothing to do, as Airflow's own BashOperator has it.
SKIP = 99
#: Ended by SIGINT or SIGTERM.
STOPPED = (130, 143)


def run_program(
    program: Program, context: GeneratorContext, around: Surroundings
) -> Dialogue:
    """Run it to its end and return what it said, its document included.

    Raises:
        ConfigurationError: there is no such program.
        GeneratorProtocolError: a line of its messages cannot be read.
        GeneratorFailedError: its exit code says so, or it sent no result.
        GeneratorStoppedError: it was told to stop, or took too long.
        GeneratorSkippedError: it says that there is nothing to do.
        LockLostError: the lock was lost while it ran.
    """
    with tempfile.TemporaryDirectory(prefix="codebeamer-generator-") as place:
        return _Run(program, context, around, Path(place)).run()


class _Run:
    def __init__(
        self,
        program: Program,
        context: GeneratorContext,
        around: Surroundings,
        place: Path,
    ) -> None:
        self._program = program
        self._context = context
        self._around = around
        self._place = place
        self._lease_file = LeaseFile(place / "lease.json", around.clock)
        self._lease_seconds = float("-inf")
        self._trouble: CodebeamerError | None = None
        self._dialogue = Dialogue(program, place / "result", around)

    def run(self) -> Dialogue:
        fifo = self._place / "messages"
        os.mkfifo(fifo, 0o600)
        started_seconds = self._around.clock.monotonic()
        self._watch(started_seconds)
        self._check()
        process = Process(
            self._program, self._environment(fifo), fifo, self._place / "lease.json"
        )
        try:
            while not process.is_over:
                heard = process.hear(_LISTEN_SECONDS)
                if self._trouble is None:
                    self._watch(started_seconds)
                    self._listen(heard)
                    self._end_if_troubled(process)
        finally:
            process.close()
        return self._ended(process)

    def _check(self) -> None:
        if self._trouble is not None:
            raise self._trouble

    def _end_if_troubled(self, process: Process) -> None:
        if self._trouble is not None:
            process.end()

    def _listen(self, heard: Any) -> None:
        if heard is None or self._trouble is not None:
            return
        try:
            self._dialogue.hear(heard)
        except CodebeamerError as error:
            self._trouble = error

    def _watch(self, started_seconds: float) -> None:
        """See whether it may go on, and tell it so."""
        now = self._around.clock.monotonic()
        title, timeout = self._program.title, self._program.timeout
        if self._around.stop.is_set():
            self._trouble = GeneratorStoppedError(title, "the task was told to stop")
        elif timeout is not None and now - started_seconds > timeout.total_seconds():
            self._trouble = GeneratorStoppedError(
                title, f"it ran longer than {timeout}"
            )
        elif now - self._lease_seconds >= _LEASE_SECONDS:
            self._lease_seconds = now
            self._hold()

    def _hold(self) -> None:
        lease = self._around.lease
        if lease is None:
            return
        try:
            lease.guard()
        except LockLostError as error:
            self._lease_file.lose(error.why)
            self._trouble = error
            return
        self._lease_file.hold(lease.left_seconds())

    def _ended(self, process: Process) -> Dialogue:
        code = process.exit_code or 0
        self._check()
        if self._around.lease is not None:
            self._lease_file.release()
        title = self._program.title
        if code == SKIP:
            raise GeneratorSkippedError(title)
        if code in STOPPED:
            raise GeneratorStoppedError(
                title, f"it was stopped (exit code {code})", exit_code=code
            )
        last = process.errors.last
        if self._dialogue.exception is not None:
            raise GeneratorFailedError(
                title, self._dialogue.exception, last_lines=last, exit_code=code
            )
        if code:
            problem, may_retry = EXITS.get(code, ("it crashed", True))
            said = f": {last.splitlines()[-1]}" if last else ""
            raise GeneratorFailedError(
                title,
                f"{problem} (exit code {code}){said}",
                last_lines=last,
                may_retry=may_retry,
                exit_code=code,
            )
        if not self._dialogue.is_done:
            raise GeneratorFailedError(
                title,
                "it ended without the message `result`, so nobody knows whether it "
                "was done; send one as the last thing",
                last_lines=last,
                may_retry=True,
                exit_code=code,
            )
        self._dialogue.collect(self._context.tracker_id)
        return self._dialogue

    def _environment(self, fifo: Path) -> dict[str, str]:
        context = self._place / "context.json"
        told = self._told()
        _write(context, told)
        pipes = self._place / "pipes.json"
        _write(pipes, pipes_context(self._context.run_key, told))
        by_stdout = self._program.messages == "stdout"
        messages = {"stdio": "stdout"} if by_stdout else {"path": str(fifo)}
        env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_OURS)
        }
        env |= {
            "CB_GEN_PROTOCOL": PROTOCOL,
            "CB_GEN_CONTEXT": str(context),
            "CB_GEN_MESSAGES": "stdout" if by_stdout else str(fifo),
            "CB_GEN_RESULT": str(self._place / "result"),
            "CB_GEN_DRY_RUN": "true" if self._context.dry_run else "false",
            "CB_TRACKER_ID": str(self._context.tracker_id),
            "DAGSTER_PIPES_CONTEXT": pipes_value({"path": str(pipes)}),
            "DAGSTER_PIPES_MESSAGES": pipes_value(messages),
        }
        if self._around.lease is not None:
            env["CB_GEN_LEASE"] = str(self._place / "lease.json")
        if self._program.timeout is not None:
            ends = self._around.clock.now() + self._program.timeout
            env["CB_GEN_DEADLINE"] = ends.isoformat(timespec="seconds")
        return {**env, **self._reach(), **self._program.env}

    def _told(self) -> dict[str, Any]:
        return {
            "protocol": PROTOCOL,
            "kind": self._program.kind,
            "run": self._context.run_key,
            "tracker_id": self._context.tracker_id,
            "dry_run": self._context.dry_run,
            "params": dict(self._context.args),
            "checkpoint": self._around.checkpoint,
        }

    def _reach(self) -> dict[str, str]:
        """The server, for a delegate; secrets in files that only we can read."""
        access = self._around.access
        if access is None:
            return {}
        env = {"CB_URL": access.url, "CB_USERNAME": access.login}
        for name, secret in (
            ("CB_PASSWORD_FILE", access.password),
            ("CB_TOKEN_FILE", access.token),
        ):
            if secret:
                env[name] = str(self._place / name.lower())
                _write_secret(Path(env[name]), secret)
        if access.project_id is not None:
            env["CB_PROJECT_ID"] = str(access.project_id)
        rates = {"per_second": access.per_second, "per_minute": access.per_minute}
        return {**env, "CB_RATE": json.dumps(rates)}


def _write(path: Path, told: Mapping[str, Any]) -> None:
    try:
        path.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            "generator_args", f"a program takes what JSON can say: {error}"
        ) from None


def _write_secret(path: Path, secret: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as out:
        out.write(secret)
