"""Escrow as a file: where a command puts what its locks took, and takes it from."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from airflow_codebeamer.errors import ConfigurationError, EscrowError
from airflow_codebeamer.locking import Escrow, find_escrows

__all__ = ["escrow_writer", "read_escrows"]

_OPTION = "--escrow"
_STREAM = "-"
#: More than that is no log of one task.
_LARGEST = 2**28


def escrow_writer(file: str) -> Callable[[str], None]:
    """Return what appends a line to a file, or writes it to stderr for `-`.

    A line is on the disk before its lock takes anything. Without a file nothing is
    written: a terminal keeps nothing.
    """
    if not file:
        return _nowhere
    if file == _STREAM:
        return _to_stderr
    path = Path(file).expanduser()

    def append(line: str) -> None:
        try:
            with path.open("a", encoding="utf-8") as out:
                out.write(f"{line}\n")
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise ConfigurationError(
                _OPTION, f"the file {path} cannot be written: {error.strerror or error}"
            ) from None

    return append


def read_escrows(file: Path) -> list[Escrow]:
    """Return the escrows in a file: one of ours, or a whole log.

    Raises:
        ConfigurationError: it cannot be read.
        EscrowError: it has no escrow, or a damaged one.
    """
    path = file.expanduser()
    try:
        if path.stat().st_size > _LARGEST:
            raise EscrowError(str(file), "it is larger than 256 MiB", "cut it")
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigurationError(
            "--from-escrow",
            f"the file {file} cannot be read: {error.strerror or error}",
        ) from None
    return find_escrows(text, str(file))


def _nowhere(line: str) -> None:
    return None


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
