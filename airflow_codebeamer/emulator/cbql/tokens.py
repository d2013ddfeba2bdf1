"""Tokens: the words, signs and literals of a query, and how one is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_codebeamer.emulator.refusal import RefusedError

__all__ = ["Token", "Tokens", "not_understood", "unreadable"]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')"
    r"|(?P<moment>[+-]\d{1,6}(?:min|wd|[smhdwyq])(?!\w))"
    r"|(?P<number>[+-]?\d+(?:\.\d+)?(?![\w.]))"
    r"|(?P<sign><=|>=|!=|=|<|>|\(|\)|,)"
    r"|(?P<word>[A-Za-z_]\w*(?:\.\w+)*))"
)


@dataclass(frozen=True)
class Token:
    """A piece of a query: `kind` is text, moment, number, sign, word or end."""

    kind: str
    source: str

    @property
    def word(self) -> str:
        """The piece as it is looked for: words in capitals, texts never."""
        if self.kind == "text":
            return ""
        return self.source.upper() if self.kind == "word" else self.source

    @property
    def text(self) -> str:
        """What a text says, without its quotes."""
        return re.sub(r"\\(.)", r"\1", self.source[1:-1], flags=re.DOTALL)


_END = Token("end", "")


class Tokens:
    """The pieces of a query, read from left to right."""

    def __init__(self, query: str) -> None:
        self.query = query
        self._tokens: list[Token] = []
        self._at = 0
        place, end = 0, len(query.rstrip())
        while place < end:
            match = _TOKEN.match(query, place)
            if match is None:
                raise not_understood(query, query[place:end].lstrip()[:20])
            kind = str(match.lastgroup)
            self._tokens.append(Token(kind, match.group(kind)))
            place = match.end()

    @property
    def next(self) -> Token:
        """The piece that comes next; one of kind `end` when there is none."""
        return self._tokens[self._at] if self._at < len(self._tokens) else _END

    def take(self) -> Token:
        """Step over the next piece and return it.

        Raises:
            RefusedError: The query ends here (400).
        """
        token = self.next
        if token is _END:
            raise unreadable(self.query)
        self._at += 1
        return token

    def accept(self, *words: str) -> bool:
        """Step over words if exactly they come next."""
        start = self._at
        for word in words:
            if self.next.word != word:
                self._at = start
                return False
            self._at += 1
        return True

    def expect(self, word: str) -> None:
        """Step over a word that has to come next.

        Raises:
            RefusedError: The query ends (400), or goes on in another way (501).
        """
        if not self.accept(word):
            raise not_understood(self.query, self.take().source)


def not_understood(query: str, part: str) -> RefusedError:
    """Return the refusal of what the emulator does not know."""
    return RefusedError(
        501, f"The emulator does not understand {part} in the query: {query}"
    )


def unreadable(query: str) -> RefusedError:
    """Return the refusal of what no server would know."""
    return RefusedError(400, f"The query cannot be read: {query}")
