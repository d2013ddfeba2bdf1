"""Forms: the parts of a multipart request, and the name that a file travels under."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from typing import Any
from urllib.parse import quote

from airflow_codebeamer.emulator.refusal import RefusedError
from airflow_codebeamer.emulator.validation import A_FILE, Check

__all__ = ["FORM", "File", "disposition", "read_form"]

FORM = "multipart/form-data"


@dataclass(frozen=True)
class File:
    """A file of a form."""

    name: str
    media: str
    content: bytes


def read_form(check: Check, body: bytes, content_type: str) -> dict[str, Any]:
    """Read the parts of a form: text by name, and lists of files by name.

    Raises:
        RefusedError: It is not a form, or a part is unknown or missing (400).
    """
    texts: dict[str, Any] = {}
    files: dict[str, list[File]] = {}
    for head, content in _parts(body, content_type):
        name = _parameter(head, "name")
        if name is None:
            raise RefusedError(400, "A part of the form has no name.")
        file_name = _parameter(head, "filename")
        if file_name is not None:
            file = File(file_name, head.get_content_type(), content)
            files.setdefault(name, []).append(file)
        elif name in texts:
            raise RefusedError(400, f'Part "{name}" of the form is there twice.')
        else:
            texts[name] = _text(name, content)
    problem = check({**texts, **dict.fromkeys(files, A_FILE)})
    if problem is not None:
        raise RefusedError(400, f"Form: {problem}")
    return {**texts, **files}


def _parts(body: bytes, content_type: str) -> Iterator[tuple[Message, bytes]]:
    outer = _head(f"Content-Type: {content_type}".encode("utf-8", "replace"))
    boundary = outer.get_boundary() if outer.get_content_type() == FORM else None
    if not boundary:
        raise RefusedError(400, f"Content type '{content_type}' is not {FORM}.")
    mark = b"\r\n--" + boundary.encode()
    _, *parts = (b"\r\n" + body).split(mark)
    if not parts or not parts[-1].startswith(b"--"):
        raise RefusedError(400, "The form has no end.")
    for part in parts[:-1]:
        head, found, content = part.partition(b"\r\n\r\n")
        if not found:
            raise RefusedError(400, "A part of the form has no head.")
        yield _head(head.lstrip()), content


def _head(text: bytes) -> Message:
    readable = text.decode("utf-8", "replace") + "\r\n\r\n"
    return Parser().parsestr(readable, headersonly=True)


def _parameter(part: Message, name: str) -> str | None:
    found = part.get_param(name, header="content-disposition")
    if isinstance(found, tuple):
        charset, _, text = found
        return text.encode("latin-1", "replace").decode(charset or "utf-8", "replace")
    return found if isinstance(found, str) else None


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise RefusedError(400, f'Part "{name}" of the form is not UTF-8.') from error


def disposition(name: str) -> str:
    """Return the header that tells a client how to call what it downloads."""
    plain = name.encode("ascii", "replace").decode()
    plain = "".join(
        sign if sign.isprintable() and sign not in '"\\' else "_" for sign in plain
    )
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
