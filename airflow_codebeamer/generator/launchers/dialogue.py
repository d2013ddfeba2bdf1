"""What a program has said so far, line by line; pure but for who is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from airflow_codebeamer.errors import (
    DocumentError,
    GeneratorFailedError,
    GeneratorProtocolError,
)
from airflow_codebeamer.generator.launchers.process import Heard
from airflow_codebeamer.generator.launchers.surroundings import Surroundings
from airflow_codebeamer.generator.messages import (
    Checkpoint,
    Closed,
    Document,
    Item,
    Log,
    Message,
    Opened,
    Progress,
    Result,
    Warned,
    read_message,
)
from airflow_codebeamer.generator.program import Program
from airflow_codebeamer.generator.protocol import owner_of
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.skeleton import (
    DocumentItem,
    FieldUpdate,
    Skeleton,
    Target,
    load_document,
    load_documents,
)
from airflow_codebeamer.skeleton import Progress as Shown

__all__ = ["Dialogue"]

#: What all items of a stream may weigh, as they were sent.
MOST_BYTES = 2**30
_CHECKPOINT_BYTES = 2**16
_MOST_WARNINGS = 1_000


class Dialogue:
    """Hears each line once, and keeps what belongs into the document or report."""

    def __init__(
        self,
        program: Program,
        result: Path,
        around: Surroundings,
    ) -> None:
        self._program = program
        self._around = around
        self._say = around.say
        self._bytes = 0
        self._warned = 0
        self._result = result
        self._head: dict[str, Any] = {}
        self._items: list[DocumentItem] = []
        self.documents: tuple[Skeleton | FieldUpdate, ...] = ()
        self.counts: dict[str, int] = {}
        self.exception: str | None = None
        self.is_done = False

    def collect(self, tracker_id: TrackerId) -> None:
        """Make the document of what was said; a `delegate` has none.

        Raises:
            GeneratorFailedError: it says that there is one, and there is none.
            DocumentError: it is no document.
        """
        target = {"tracker": tracker_id}
        head = {"owner": owner_of(self._program.title), **self._program.document}
        if self._program.kind == "stream":
            head |= {**self._head, "target": target, "items": self._items}
            self.documents = (load_document(head, folder=self._folder()),)
        elif self._program.kind == "describe":
            if not self._result.is_file():
                raise GeneratorFailedError(
                    self._program.title,
                    "it sent its result and left no document; write it to the file "
                    "CB_GEN_RESULT, or name another in `result`",
                )
            self.documents = _written(self._result, target)

    def hear(self, heard: Heard) -> None:
        """Take a line of messages, or one for the log.

        Raises:
            GeneratorProtocolError: it cannot be read, or has no place here.
        """
        if isinstance(heard, str):
            self._say(f"{self._program.title}: {heard}")
            return
        line, number, is_cut = heard
        if is_cut:
            self._refuse(
                number, f"is longer than {len(line):,} bytes", "a shorter line"
            )
        message = read_message(line, number, self._program.title)
        if isinstance(message, Item):
            self._bytes += len(line)
            self._take(message, number)
        elif message is not None:
            self._note(message, number)

    def _note(self, message: Message, number: int) -> None:
        match message:
            case Opened():
                self._greet(message, number)
            case Document():
                self._begin(message, number)
            case Log(level=level, message=text):
                mark = "" if level == "INFO" else f"{level}: "
                self._say(f"{self._program.title}: {mark}{text}")
            case Progress(phase=phase, done=done, total=total):
                self._around.progress(Shown(phase, done, total))
            case Checkpoint(state=state):
                self._keep(state, number)
            case Warned(code=code, message=text, key=key):
                marks = [mark for mark in (code, key) if mark]
                self._warned += 1
                if self._warned <= _MOST_WARNINGS:
                    self._around.warn(": ".join([*marks, text]))
            case Result(document=path, counts=counts):
                self._finish(path, counts)
            case Closed(exception=exception):
                self.exception = exception
                self.is_done = self.is_done or exception is None

    def _greet(self, message: Opened, number: int) -> None:
        if message.kind not in (None, self._program.kind):
            self._refuse(
                number, f"it takes itself for a {message.kind}", self._program.kind
            )
        who = f"{message.name} {message.version}".strip()
        if who:
            self._say(f"{self._program.title}: {who} is there")

    def _begin(self, message: Document, number: int) -> None:
        if self._program.kind != "stream" or self._items:
            self._refuse(number, "the head comes too late", "it before the first item")
        self._head = message.model_dump(exclude_unset=True, exclude_none=True)

    def _take(self, message: Item, number: int) -> None:
        if self._program.kind != "stream":
            self._refuse(
                number,
                f"a program of the kind {self._program.kind} sends no items",
                "the kind `stream`",
            )
        if self.is_done:
            self._refuse(number, "an item after the result", "nothing")
        if self._bytes > MOST_BYTES:
            self._refuse(number, f"more than {MOST_BYTES:,} bytes of items", "fewer")
        found = message.model_extra or {}
        try:
            self._items.append(DocumentItem.model_validate(found))
        except (ValidationError, ValueError):
            self._refuse(number, _problem(found), "an item as in a document")

    def _keep(self, state: Any, number: int) -> None:
        size = len(json.dumps(state))
        if size > _CHECKPOINT_BYTES:
            self._refuse(
                number, f"a checkpoint of {size:,} bytes", f"{_CHECKPOINT_BYTES:,}"
            )
        self._around.remember(state)

    def _finish(self, path: str | None, counts: dict[str, int]) -> None:
        if path is not None:
            self._result = self._folder() / path
        self.counts = counts
        self.is_done = True

    def _folder(self) -> Path:
        """Return where the program runs."""
        return Path(self._program.cwd or ".")

    def _refuse(self, number: int, problem: str, expected: str) -> None:
        raise GeneratorProtocolError(
            self._program.title, number, problem, expected=expected
        )


def _written(path: Path, target: dict[str, Any]) -> tuple[Skeleton | FieldUpdate, ...]:
    """Read the document that a program wrote, for the tracker of the run.

    Several documents name their trackers themselves.
    """
    try:
        found = json.loads(path.read_bytes())
    except ValueError:
        found = None
    if isinstance(found, dict):
        return (load_document({**found, "target": target}, folder=path.parent),)
    if found is None:
        documents = load_documents(path)
    else:
        documents = load_documents(found, folder=path.parent)
    if len(documents) > 1:
        return documents
    return (documents[0].model_copy(update={"target": Target(**target)}),)


def _problem(item: dict[str, Any]) -> str:
    """Return what is wrong with an item, as a document would say it."""
    try:
        # Whether the parent is there can be said only when all have come.
        alone = {name: item[name] for name in item if name != "parent"}
        load_document({"owner": "item", "target": {"tracker": 1}, "items": [alone]})
    except DocumentError as error:
        return str(error).removeprefix("items[0].").removeprefix("items[0]: ")
    return "it is no item"
