"""Read YAML or JSON into plain values, and refuse what would be misread.

YAML forgives a key that is written twice and reads `0x120` as the number 288.
In a document both would be a wrong identity, so both are errors here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from airflow_codebeamer.errors import DocumentError

__all__ = ["Source", "only_once", "path_text", "read_source", "read_sources"]

Step = str | int

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_TEXT = "tag:yaml.org,2002:str"
_NULL = "tag:yaml.org,2002:null"
_MERGE = "tag:yaml.org,2002:merge"


class Source:
    """What was read, and the line in which each part of it began.

    `folder` is that of the file, if it was one.
    """

    def __init__(
        self,
        value: Any,
        lines: dict[tuple[Step, ...], int],
        folder: Path | None = None,
    ) -> None:
        self.value = value
        self.folder = folder
        self._lines = lines

    def find_line(self, place: tuple[Step, ...]) -> int | None:
        """Return the line of that place, or of the nearest thing around it."""
        for length in range(len(place), 0, -1):
            if place[:length] in self._lines:
                return self._lines[place[:length]]
        return None

    def part(self, at: int) -> Source:
        """Return one entry of a list as a source of its own."""
        lines = {
            place[1:]: line for place, line in self._lines.items() if place[:1] == (at,)
        }
        return Source(self.value[at], lines, self.folder)


def path_text(place: Iterable[Step]) -> str:
    """Write a place as people read it: `items[3].fields["Start Bit"]`."""
    text = ""
    for step in place:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.replace("_", "a").isalnum():
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text


def read_source(source: str | Path) -> Source:
    """Read a file, or text that is a document itself.

    Text with more than one line, or beginning with a brace, is the document;
    any other string is the path of a file.

    Raises:
        DocumentError: no such file, not YAML or JSON, a key used twice, a key
            that is not text.
    """
    read = _parsed(source)
    if len(read) > 1:
        raise DocumentError("", f"these are {len(read)} documents; give one")
    return read[0]


def read_sources(source: str | Path) -> list[Source]:
    """Read a file, or text, of one document or of several.

    Several are a list, or YAML documents with a line of `---` between them.

    Raises:
        DocumentError: as `read_source`.
    """
    read = _parsed(source)
    if len(read) == 1 and isinstance(read[0].value, list):
        return [read[0].part(at) for at in range(len(read[0].value))]
    return read


def _parsed(source: str | Path) -> list[Source]:
    if isinstance(source, str) and _is_text(source):
        return _parse_all(source)
    path = Path(source)
    try:
        read = _parse_all(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DocumentError(
            "", f"the document {path} cannot be read: {error.strerror or error}"
        ) from error
    except UnicodeDecodeError as error:
        raise DocumentError("", f"the document {path} is not UTF-8 text") from error
    for one in read:
        one.folder = path.parent
    return read


def _is_text(source: str) -> bool:
    return "\n" in source or source.lstrip()[:1] in ("{", "[")


def _parse_all(text: str) -> list[Source]:
    if text.lstrip()[:1] in ("{", "["):
        try:
            return [Source(json.loads(text, object_pairs_hook=only_once), {})]
        except RecursionError:
            raise DocumentError("", "this is nested too deeply") from None
        except json.JSONDecodeError:
            # Braces also begin YAML in flow style: let its reader judge.
            pass
    try:
        nodes: list[Any] = list(yaml.compose_all(text, Loader=_Loader)) or [None]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "unreadable"
        raise DocumentError("", f"this is not YAML{where}: {problem}") from error
    except RecursionError:
        raise DocumentError("", "this is nested too deeply") from None
    while len(nodes) > 1 and nodes[-1].tag == _NULL:
        # A line of `---` at the end begins nothing.
        nodes.pop()
    try:
        return [_Builder().build(node) for node in nodes]
    except RecursionError:
        raise DocumentError("", "this is nested too deeply") from None


def only_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; a property that is written twice is refused."""
    if len(found := dict(pairs)) == len(pairs):
        return found
    keys = [key for key, _ in pairs]
    twice = next(key for key in keys if keys.count(key) > 1)
    raise DocumentError("", f"the property {twice!r} is written twice")


class _Builder:
    """Turns YAML nodes into values and remembers the lines."""

    def __init__(self) -> None:
        self._lines: dict[tuple[Step, ...], int] = {}
        self._scalars = _Loader("")
        self._open: set[int] = set()
        self._done: dict[int, Any] = {}

    def build(self, node: yaml.Node | None) -> Source:
        try:
            value = None if node is None else self._value(node, ())
        finally:
            self._scalars.dispose()
        return Source(value, self._lines)

    def _value(self, node: yaml.Node, place: tuple[Step, ...]) -> Any:
        self._lines[place] = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, place)
        # An alias is the same node again; without this a short file could grow
        # without end.
        if id(node) in self._done:
            return self._done[id(node)]
        if id(node) in self._open:
            raise _at(place, node, "this part contains itself")
        self._open.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            value: Any = [
                self._value(entry, (*place, index))
                for index, entry in enumerate(node.value)
            ]
        else:
            value = self._mapping(node, place)
        self._done[id(node)] = value
        return value

    def _mapping(self, node: yaml.Node, place: tuple[Step, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                raise _at(place, key_node, "merge keys (<<) are not supported")
            if key_node.tag != _TEXT:
                what = f"{key_node.value} is not text but {self._kind(key_node)}"
                raise _at(place, key_node, f"the key {what}; put it in quotes")
            key = key_node.value
            if key in found:
                raise _at((*place, key), key_node, "is written twice")
            found[key] = self._value(value_node, (*place, key))
        return found

    def _scalar(self, node: yaml.ScalarNode, place: tuple[Step, ...]) -> Any:
        if node.tag in (_TIMESTAMP, _TEXT):
            return node.value
        try:
            return self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            raise _at(place, node, f"cannot be read as {node.tag}") from error

    def _kind(self, node: yaml.Node) -> str:
        if isinstance(node, yaml.ScalarNode):
            value = self._scalar(node, ())
            return f"the value {value!r}"
        return "a list or a mapping"


def _at(place: tuple[Step, ...], node: yaml.Node, problem: str) -> DocumentError:
    return DocumentError(
        path_text(place), f"{problem} (line {node.start_mark.line + 1})"
    )
