"""What can go wrong with a generator."""

from __future__ import annotations

from airflow_codebeamer.errors.root import CodebeamerError, Retry

__all__ = [
    "GeneratorError",
    "GeneratorFailedError",
    "GeneratorNotFoundError",
    "GeneratorProtocolError",
    "GeneratorSkippedError",
    "GeneratorStoppedError",
]


class GeneratorError(CodebeamerError):
    """Something about somebody's generator."""


class GeneratorNotFoundError(GeneratorError):
    """No generator of that name; `found` says what is there instead."""

    def __init__(self, name: str, found: str) -> None:
        super().__init__(f"Generator {name!r} was not found: {found}")
        self.name = name
        self.found = found


class GeneratorFailedError(GeneratorError):
    """The generator ran and failed; its own exception is the cause.

    `exit_code` is that of a program, None of a function; `last_lines` are the
    last that a program wrote to stderr.
    """

    def __init__(
        self,
        name: str,
        problem: str,
        *,
        last_lines: str = "",
        may_retry: bool = False,
        exit_code: int | None = None,
    ) -> None:
        super().__init__(f"Generator {name!r} failed: {problem}")
        self.name = name
        self.problem = problem
        self.last_lines = last_lines
        self.exit_code = exit_code
        self.retry = Retry.YES if may_retry else Retry.NEVER


class GeneratorProtocolError(GeneratorFailedError):
    """A program said what cannot be read: `line` of its messages, and `expected`."""

    def __init__(self, name: str, line: int, problem: str, *, expected: str) -> None:
        super().__init__(
            name, f"line {line} of its messages: {problem}; expected {expected}"
        )
        self.line = line
        self.expected = expected


class GeneratorStoppedError(GeneratorFailedError):
    """The generator was told to stop before it was done."""

    def __init__(self, name: str, why: str, *, exit_code: int | None = None) -> None:
        super().__init__(name, why, may_retry=True, exit_code=exit_code)


class GeneratorSkippedError(GeneratorError):
    """The generator says that there is nothing to do; nothing was changed."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Generator {name!r} says that there is nothing to do.")
        self.name = name
