"""Form: files as the body of a request; pure."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

__all__ = ["Form"]


@dataclass(frozen=True)
class Form:
    """A file in the form part that an operation wants it in."""

    part: str
    file_name: str
    content: bytes
    media: str = "application/octet-stream"

    def encoded(self) -> tuple[str, bytes]:
        """Return the content type and the body (RFC 7578)."""
        boundary = secrets.token_hex(16)
        # What would end the quoted name is written as browsers write it.
        name = self.file_name
        for letter, written in (("\r", "%0D"), ("\n", "%0A"), ('"', "%22")):
            name = name.replace(letter, written)
        head = (
            f"--{boundary}\r\n"
            f'Content-Disposition: form-data; name="{self.part}"; filename="{name}"\r\n'
            f"Content-Type: {self.media}\r\n\r\n"
        )
        body = head.encode() + self.content + f"\r\n--{boundary}--\r\n".encode()
        return f"multipart/form-data; boundary={boundary}", body
