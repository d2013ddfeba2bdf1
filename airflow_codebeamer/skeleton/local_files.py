"""The files that a document names: how large they are, and their digests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.skeleton.item_parts import ItemAttachment
from airflow_codebeamer.skeleton.reading import Step, path_text
from airflow_codebeamer.skeleton.wishes import WishedAttachment

__all__ = ["LocalFiles", "digest_of"]

_MIB = 2**20


class LocalFiles:
    """The files that a document names, each read once for its size and digest."""

    def __init__(self, largest_mib: int | None) -> None:
        self._largest_mib = largest_mib
        self._read: dict[str, tuple[int, str]] = {}

    def wish(
        self, given: Iterable[ItemAttachment], place: tuple[Step, ...]
    ) -> tuple[WishedAttachment, ...]:
        """Return the files of one item.

        Raises:
            DocumentError: no such file, too large a one, another than the document
                says, or two of one name.
        """
        found: dict[str, WishedAttachment] = {}
        for index, one in enumerate(given):
            at = path_text((*place, index, "path"))
            name = one.name or Path(one.path).name
            if name in found:
                raise DocumentError(
                    path_text((*place, index)), f"another file is named {name!r} too"
                )
            size, digest = self._measure(one.path, at)
            if one.sha512 is not None and one.sha512.casefold() != digest:
                raise DocumentError(
                    path_text((*place, index, "sha512")),
                    f"the file {one.path} has another SHA-512, {digest[:16]}…",
                )
            found[name] = WishedAttachment(name, one.path, size, digest)
        return tuple(found.values())

    def _measure(self, path: str, at: str) -> tuple[int, str]:
        if path in self._read:
            return self._read[path]
        try:
            size = Path(path).stat().st_size
            if self._largest_mib is not None and size > self._largest_mib * _MIB:
                raise DocumentError(
                    at,
                    f"the file {path} has {size / _MIB:.1f} MiB, "
                    f"policy.largest_attachment_mib is {self._largest_mib}",
                )
            with Path(path).open("rb") as file:
                digest = hashlib.file_digest(file, "sha512").hexdigest()
        except OSError as error:
            raise DocumentError(
                at, f"the file {path} cannot be read: {error.strerror or error}"
            ) from error
        self._read[path] = size, digest
        return size, digest


def digest_of(content: bytes) -> str:
    """Return the digest of a file's content."""
    return hashlib.sha512(content).hexdigest()
