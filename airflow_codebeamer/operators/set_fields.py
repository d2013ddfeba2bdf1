"""SetFieldsOperator: fields of all items of a tracker, set by one argument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.operators.codebeamer import json_of
from airflow_codebeamer.operators.generator import RunGeneratorOperator

if TYPE_CHECKING:
    from airflow_codebeamer.generator import What
    from airflow_codebeamer.ids import TrackerId

__all__ = ["SetFieldsOperator"]


class SetFieldsOperator(RunGeneratorOperator):
    """Give fields of many items one value each, under the lock that this run holds.

        SetFieldsOperator(task_id="set", fields={"Priority": "High"})

    No generator is needed. Only items whose values differ are written, a hundred
    and more with each request, and all of them are put back if anything fails.
    Everything else is as with `RunGeneratorOperator`, the mode `plan` too.

    :param fields: a value for each field by its name, a mapping or a JSON object.
        A value is written as in a document.
    :param where: a cbQL filter; all items of the tracker if not given.
    :param foreign_edit: what to do where somebody else wrote the value that is
        there: `overwrite` it, `keep` it, or `fail` before anything is written.
    :return: the summary of the run, as `RunGeneratorOperator` returns it.
    """

    template_fields: Sequence[str] = (
        "fields",
        "where",
        "tracker_id",
        "lock",
        "codebeamer_conn_id",
    )
    template_fields_renderers = {"fields": "json", "lock": "json"}  # noqa: RUF012

    def __init__(
        self,
        *,
        fields: Mapping[str, Any] | str,
        where: str | None = None,
        foreign_edit: Literal["overwrite", "keep", "fail"] = "overwrite",
        **kwargs: Any,
    ) -> None:
        for name in {"generator", "generator_args"} & set(kwargs):
            raise ConfigurationError(name, "is for RunGeneratorOperator; leave it out")
        super().__init__(generator="", **kwargs)
        self.fields = fields
        self.where = where
        self.foreign_edit = foreign_edit

    def what(self, tracker_id: TrackerId) -> What:
        """Return the document that says it.

        Raises:
            ConfigurationError: `fields` is no object.
            DocumentError: a field's value is none.
        """
        from airflow_codebeamer.skeleton import field_update  # pydantic, when it runs

        found = json_of(self.fields)
        if not isinstance(found, Mapping):
            raise ConfigurationError(
                "fields", 'write a JSON object, like {"Priority": "High"}'
            )
        return field_update(
            tracker_id, found, where=self.where, foreign_edit=self.foreign_edit
        )
