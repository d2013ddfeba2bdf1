"""The application, its exit codes, and the one place that prints an error."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

import typer

from airflow_codebeamer import __version__
from airflow_codebeamer.cli import (
    decisions,
    demo,
    doctor,
    document,
    emulator,
    forget,
    generate,
    queue,
    recover,
    restore,
    store,
    why,
)
from airflow_codebeamer.cli.output import as_json
from airflow_codebeamer.errors import (
    CodebeamerError,
    ConfigurationError,
    LockHeldError,
)

__all__ = ["app", "main"]

_NAME = "airflow-codebeamer"
_OTHER, _HELD, _USAGE = 1, 3, 64
_INTERRUPTED, _TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM

#: Typer shows of its usage errors only this one; its parent is all of them.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name=_NAME,
    help="Exclusive access to Codebeamer trackers, and generators that fill them.",
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
)
app.add_typer(why.app, name="lock")
app.add_typer(store.app, name="store")
app.add_typer(emulator.app, name="emulator")
queue.register(decisions.app)
forget.register(decisions.app)
for _room in (recover, restore, generate, document, doctor, demo):
    _room.register(app)


@app.callback()
def _top(
    version: bool = typer.Option(False, "--version", help="Say the version."),
) -> None:
    """Exclusive access to Codebeamer trackers, and generators that fill them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors become one sentence.

    0 is success; 64 wrong usage, 3 held by somebody else, 4 released with
    drift, 5 a person is needed, 2 a plan with changes, 1 everything else.
    """
    args = list(sys.argv[1:] if argv is None else argv)
    if args == ["--version"]:
        typer.echo(__version__)
        return 0
    with _ended_by_sigterm():
        return _run(args)


def _run(args: Sequence[str]) -> int:
    try:
        return int(app(args, prog_name=_NAME, standalone_mode=False) or 0)
    except _UsageError as error:
        return _tell(args, error, _USAGE, _usage(error))
    except ConfigurationError as error:
        return _tell(args, error, _USAGE)
    except LockHeldError as error:
        return _tell(args, error, _HELD)
    except CodebeamerError as error:
        return _tell(args, error, _OTHER)
    except (KeyboardInterrupt, typer.Abort) as error:
        return _tell(args, error, _INTERRUPTED, "Stopped by hand.")
    except SystemExit as error:
        if error.code == _TERMINATED:
            return _tell(args, error, _TERMINATED, "Stopped by a signal.")
        # Typer's way to say that whoever read our output has left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _OTHER
    except Exception as error:
        advice = "this is a bug of ours; --debug shows where it happened"
        return _tell(
            args, error, _OTHER, f"{type(error).__name__}: {error} ({advice})."
        )


def _tell(
    args: Sequence[str], error: BaseException, code: int, sentence: str = ""
) -> int:
    """Print one sentence to stderr, with `--json` also a document to stdout."""
    notes = [str(note) for note in getattr(error, "__notes__", ())]
    words = " ".join([sentence or str(error), *notes])
    typer.echo(" ".join(words.split()), err=True)
    if "--debug" in args:
        traceback.print_exception(error)
    if "--json" in args:
        typer.echo(as_json({"error": _document(error, sentence, notes), "exit": code}))
    return code


def _document(
    error: BaseException, sentence: str, notes: Sequence[str]
) -> dict[str, Any]:
    document = {"kind": type(error).__name__, "message": sentence or str(error)}
    if isinstance(error, CodebeamerError):
        facts = {name: fact for name, fact in vars(error).items() if name[0] != "_"}
        document = {**facts, **document, "retry": error.retry.value}
    return {**document, "notes": list(notes)}


def _usage(error: Any) -> str:
    context = getattr(error, "ctx", None)
    sentence = " ".join(str(error.format_message()).split()).rstrip(".")
    command = context.command_path if context else _NAME
    return f"{sentence}; see `{command} --help`."


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end us like an error, so that locks are given back."""

    def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(_TERMINATED)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
