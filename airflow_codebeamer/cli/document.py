"""`schema` and `generate init`: help for who writes a document."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from airflow_codebeamer.cli.options import Tracker, command
from airflow_codebeamer.cli.output import as_json
from airflow_codebeamer.cli.session import Session
from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.skeleton import document_schema, starting_document

__all__ = ["app", "register"]

app = typer.Typer(help="Help for who writes generators and documents.")


def register(top: typer.Typer) -> None:
    """Add the commands to the application."""
    command(top, "schema")(schema)
    top.add_typer(app, name="generate")


def schema(session: Session) -> int:
    """Print the JSON Schema of documents, for editors."""
    found = document_schema()
    session.out.result(found, [as_json(found)])
    return 0


def init(
    session: Session,
    tracker: Tracker,
    output: Annotated[
        Path | None, typer.Option(help="A new file; standard output if not given.")
    ] = None,
    prefix: Annotated[
        str, typer.Option(help="What stands before each key of yours.")
    ] = "",
) -> int:
    """Write a commented document to begin with, from a tracker that exists."""
    if output is not None and output.exists():
        raise ConfigurationError("--output", f"{output} exists already")
    with session.connect() as codebeamer:
        text = starting_document(codebeamer.client, TrackerId(tracker), prefix=prefix)
    if output is None:
        session.out.result({"document": text}, [text.rstrip("\n")])
        return 0
    output.write_text(text, encoding="utf-8")
    session.out.result({"written": str(output)}, [f"Written: {output}"])
    return 0


command(app, "init")(init)
