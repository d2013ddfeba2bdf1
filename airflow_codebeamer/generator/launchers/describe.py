"""From a generator of whichever kind to the document that it describes."""

from __future__ import annotations

from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.generator.launchers.callable import describe_callable
from airflow_codebeamer.generator.launchers.program import run_program
from airflow_codebeamer.generator.launchers.surroundings import Surroundings
from airflow_codebeamer.generator.loader import Generator
from airflow_codebeamer.generator.program import Program
from airflow_codebeamer.generator.protocol import GeneratorContext
from airflow_codebeamer.skeleton import Document

__all__ = ["describe"]


def describe(
    generator: Generator | Program,
    context: GeneratorContext,
    around: Surroundings | None = None,
) -> tuple[Document, ...]:
    """Run the generator and return the document that it described, or the several.

    Raises:
        ConfigurationError: arguments that it does not take, a program that is not
            there, or one of the kind `delegate`, which describes nothing.
        GeneratorFailedError: it failed, or broke the protocol.
        GeneratorSkippedError: it says that there is nothing to do.
        DocumentError: what it described is no document.
    """
    if isinstance(generator, Generator):
        return describe_callable(generator, context)
    if generator.kind != "delegate":
        said = run_program(generator, context, around or Surroundings())
        if said.documents:
            return said.documents
    raise ConfigurationError(
        "kind",
        f"the program {generator.title!r} writes to Codebeamer itself, so there is no "
        "plan of what it will do; run it under a lock",
    )
