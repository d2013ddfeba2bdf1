"""The root of all errors, and what every room may raise."""

from __future__ import annotations

from enum import Enum

__all__ = ["CodebeamerError", "ConfigurationError", "DemoError", "Retry"]


class Retry(Enum):
    """Whether doing the same again can help."""

    NEVER = "never"
    YES = "yes"
    AFTER_LOOKING = "after looking"


class CodebeamerError(Exception):
    """Root of everything that this package raises on purpose."""

    retry: Retry = Retry.NEVER


class ConfigurationError(CodebeamerError):
    """A setting is missing or wrong.

    `setting` names it as the user wrote it; `advice` says what it should be.
    """

    def __init__(self, setting: str, advice: str) -> None:
        super().__init__(f"{setting}: {advice}")
        self.setting = setting
        self.advice = advice


class DemoError(CodebeamerError):
    """The demonstration, or the Airflow that it runs, did not do what it should."""
