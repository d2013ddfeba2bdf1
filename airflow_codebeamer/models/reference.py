"""Reference: id, name and kind of a thing that lives elsewhere."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

__all__ = ["Answer", "Reference"]


class Answer(BaseModel):
    """What the server sent: properties that we do not know are kept.

    New properties appear between releases without notice, so an answer is never
    refused for having too many.
    """

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _absent_is_default(cls, data: Any) -> Any:
        """Read a null as "not there": the server sends both for the same thing."""
        if isinstance(data, dict):
            return {key: value for key, value in data.items() if value is not None}
        return data


class Reference(Answer):
    """Points at a user, role, tracker, item, option, … told apart by `type`."""

    id: int
    name: str = ""
    type: str = ""

    def request(self) -> dict[str, Any]:
        """Return the properties that a request may carry, and no other."""
        body: dict[str, Any] = {"id": self.id}
        if self.name:
            body["name"] = self.name
        if self.type:
            body["type"] = self.type
        return body
