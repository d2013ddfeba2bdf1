"""What comes out of a process: lines for whoever listens, never too many."""

from __future__ import annotations

import os
import select
from collections.abc import Callable

__all__ = ["LONGEST_LINE", "Lines", "Tail", "drain"]

#: The longest line of messages: an item may carry a long text, not a film.
LONGEST_LINE = 16 * 2**20

#: What a task log gets of one stream; the rest is counted and dropped.
MOST_LINES = 2_000
MOST_CHARACTERS = 2_000

_CHUNK = 2**16
_TAIL = 4 * 2**10
_WAIT_SECONDS = 0.1


class Lines:
    """Cuts bytes into lines and hands each one on, with its number.

    A line longer than `longest` goes on at once as it is so far, marked as cut,
    and the rest of it is dropped.
    """

    def __init__(
        self, hear: Callable[[bytes, int, bool], None], *, longest: int = LONGEST_LINE
    ) -> None:
        self._hear = hear
        self._longest = longest
        self._begun = bytearray()
        self._is_cut = False
        self._number = 1

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            self._add(line)
            self._end()
        self._add(rest)

    def close(self) -> None:
        """Hand on a last line that had no end."""
        if self._begun:
            self._end()

    def _add(self, part: bytes) -> None:
        if self._is_cut:
            return
        room = self._longest - len(self._begun)
        self._begun += part[:room]
        if len(part) > room:
            self._is_cut = True
            self._hear(bytes(self._begun), self._number, True)
            self._begun.clear()

    def _end(self) -> None:
        if not self._is_cut:
            self._hear(bytes(self._begun), self._number, False)
        self._begun.clear()
        self._is_cut = False
        self._number += 1


class Tail:
    """A stream as a task log gets it: so many lines, then only the last bytes."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said = 0
        self._dropped = 0
        self._last = b""
        self._lines = Lines(self._hear, longest=MOST_CHARACTERS)

    @property
    def last(self) -> str:
        """The last that came, as text."""
        return self._last.decode("utf-8", "replace").strip()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._last = (self._last + chunk[-_TAIL:])[-_TAIL:]
        if self._said < MOST_LINES:
            self._lines.feed(chunk)
        else:
            self._dropped += len(chunk)

    def close(self) -> None:
        """Say the last line, and how much was not said."""
        if self._said < MOST_LINES:
            self._lines.close()
        if self._dropped:
            self._say(f"… {self._dropped:,} more bytes that are not shown here")

    def _hear(self, line: bytes, number: int, is_cut: bool) -> None:
        if self._said >= MOST_LINES:
            self._dropped += len(line) + 1
            return
        text = line.decode("utf-8", "replace").rstrip()
        if text:
            self._said += 1
            self._say(f"{text} … (cut)" if is_cut else text)


def drain(
    source: int, feed: Callable[[bytes], None], is_over: Callable[[], bool]
) -> None:
    """Read until the end, or until nothing comes any more and it is over."""
    while True:
        ended = is_over()
        ready, _, _ = select.select([source], [], [], 0 if ended else _WAIT_SECONDS)
        if not ready:
            if ended:
                return
            continue
        chunk = os.read(source, _CHUNK)
        if not chunk:
            return
        feed(chunk)
