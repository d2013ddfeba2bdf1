"""`emulator serve|differences|coverage|compare`: a Codebeamer to try things on."""

from __future__ import annotations

import gc
import importlib
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from airflow_codebeamer.cli.options import command
from airflow_codebeamer.cli.session import Session
from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.spans import span

__all__ = ["app"]

app = typer.Typer(help="A Codebeamer to try things on, without a licence.")


RELEASE = Annotated[
    str, typer.Option(help="Like which release: 10.1, 21.09, 22.04, 22.10, 2.x.")
]


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
    release: RELEASE = "22.10",
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
            release=release,
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


@command(app, "compare")
def compare(
    session: Session,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="An OpenAPI file, a server's address, or the name of a release.",
        ),
    ],
    release: RELEASE = "22.10",
) -> int:
    """Hold the emulator's description against the vendor's, or a live server's.

    A difference that nobody has explained is listed, and is an error.
    """
    room = _room()
    try:
        if source in room.RELEASES:
            release, theirs = source, room.vendor_facts(source)
        else:
            theirs = room.facts_of(room.read_description(source))
        found = room.compare(room.load_contract(release), theirs)
    except ValueError as error:
        raise ConfigurationError("emulator compare", str(error)) from error
    unknown = [one for one in found if not one.explained]
    session.out.table(
        {
            "release": release,
            "unknown": [asdict(one) for one in unknown],
            "explained": [asdict(one) for one in found if one.explained],
        },
        ("place", "ours", "theirs"),
        [[one.place, one.ours or "-", one.theirs or "-"] for one in unknown],
    )
    session.out.say(
        f"{len(found)} differences, {len(unknown)} of them not explained;"
        " `emulator differences` explains the others."
    )
    return 1 if unknown else 0


@command(app, "coverage")
def coverage(session: Session, release: RELEASE = "22.10") -> int:
    """Say for every operation of the vendor how far the emulator knows it."""
    found = _coverage(release)
    session.out.table(
        {"coverage": found},
        ("operation", "method", "path", "level"),
        [[one["operation"], one["method"], one["path"], one["level"]] for one in found],
    )
    return 0


def _coverage(release: str) -> Any:
    try:
        return _room().coverage(release)
    except ValueError as error:
        raise ConfigurationError("--release", str(error)) from error


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
