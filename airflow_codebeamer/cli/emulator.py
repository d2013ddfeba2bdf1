"""`emulator serve|differences|coverage`: a Codebeamer to try things on."""

from __future__ import annotations

import gc
import importlib
import sys
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from airflow_codebeamer.cli.options import command
from airflow_codebeamer.cli.session import Session
from airflow_codebeamer.cli.spans import span
from airflow_codebeamer.errors import ConfigurationError

__all__ = ["app"]

app = typer.Typer(help="A Codebeamer to try things on, without a licence.")


@command(app, "serve")
def serve(
    session: Session,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 0,
    world: Annotated[
        str, typer.Option(help="Its contents: empty, demo, or a JSON file.")
    ] = "demo",
    throttle: Annotated[
        str, typer.Option(help="Its limit, like 3/s,120/m, or off.")
    ] = "off",
    latency: Annotated[str, typer.Option(help="How long it thinks, like 20ms.")] = "0",
    data: Annotated[
        str, typer.Option(help="A file that keeps its contents over restarts.")
    ] = "",
    prefix: Annotated[
        str, typer.Option(help="Its context path; / for a server at the root.")
    ] = "/cb",
) -> int:
    """Run the emulator until Ctrl-C. The first line says where it listens."""
    thinks = span(latency, option="--latency").total_seconds()
    room = _room()
    try:
        server = room.Emulator(
            world=_world(world),
            throttle=throttle,
            latency_seconds=thinks,
            port=port,
            data=data or None,
            prefix=prefix,
        )
        server.__enter__()
    except (ValueError, room.RefusedError, OSError) as error:
        raise ConfigurationError("emulator", str(error)) from error
    try:
        document = {"url": server.url, "control_url": server.control_url}
        session.out.result(document, [f"listening on {server.url}"])
        sys.stdout.flush()
        gc.freeze()  # a large world is no garbage, and is looked at no more
        threading.Event().wait()
    except (KeyboardInterrupt, SystemExit):
        return 0
    finally:
        server.__exit__(None, None, None)
    return 0


@command(app, "differences")
def differences(session: Session) -> int:
    """Say what the emulator assumes, where no document says how it is."""
    found = _room().differences()
    lines = [f"{one['id']} ({one['level']}): {one['chosen']}" for one in found]
    session.out.result({"differences": found}, lines)
    return 0


@command(app, "coverage")
def coverage(session: Session) -> int:
    """Say for every operation of the vendor how far the emulator knows it."""
    found = _room().coverage()
    session.out.table(
        {"coverage": found},
        ("operation", "method", "path", "level"),
        [[one["operation"], one["method"], one["path"], one["level"]] for one in found],
    )
    return 0


def _world(text: str) -> str | Path:
    path = Path(text)
    return path if path.is_file() else text


def _room() -> Any:
    try:
        return importlib.import_module("airflow_codebeamer.emulator")
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "emulator",
            f"{error.name} is missing: "
            "pip install 'airflow-provider-codebeamer[emulator]'",
        ) from error
