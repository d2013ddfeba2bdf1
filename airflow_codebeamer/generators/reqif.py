"""Requirements from a ReqIF file, as DOORS, Polarion and others export it.

Specifications become folders, objects items in the same place of the tree, known by
their ReqIF identifiers. Run it as `airflow_codebeamer.generators.reqif:requirements`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from airflow_codebeamer.errors import ConfigurationError, DocumentError

__all__ = ["NAMES", "TEXTS", "requirements"]

#: Attributes with the name of an object, with its text, and the longest name.
NAMES = ("ReqIF.ChapterName", "ReqIF.Name", "Name", "Title")
TEXTS = ("ReqIF.Text", "ReqIF.Description", "Description", "Object Text")
LONGEST = 255


def requirements(
    reqif: str, prefix: str = "reqif:", fields: Mapping[str, str] | None = None
) -> Iterator[Mapping[str, Any]]:
    """Yield the head, then a folder for each specification and what is in it.

    `prefix` stands before each key, so that other generators' items in the tracker
    are not taken for ours. `fields` says which attribute goes into which field of
    the tracker; the others are left out.

    Raises:
        ConfigurationError: there is no such file.
        DocumentError: the file is there and is no ReqIF.
    """
    yield {"identity": {"prefix": prefix}}
    bundle = _load(reqif)
    reader = _Reader(bundle, fields or {})
    for specification in bundle.core_content.req_if_content.specifications or []:
        key, name = specification.identifier, specification.long_name
        yield {"key": key, "name": (name or key)[:LONGEST], "type": "Folder"}
        yield from reader.below(key, specification.children)


class _Reader:
    """Turns the attributes of an object into what an item says."""

    def __init__(self, bundle: Any, fields: Mapping[str, str]) -> None:
        content = bundle.core_content.req_if_content
        self._find = bundle.lookup.get_spec_object_by_ref
        self._fields = fields
        self._taken: set[str] = set()
        self._named = {
            one.identifier: (one.long_name or one.identifier, one.datatype_definition)
            for kind in content.spec_types or []
            for one in getattr(kind, "attribute_definitions", None) or []
        }
        self._words = {
            value.identifier: value.long_name or value.key
            for kind in content.data_types or []
            for value in getattr(kind, "values", None) or []
        }

    def below(self, parent: str, children: Any) -> Iterator[Mapping[str, Any]]:
        for node in children or []:
            key = node.spec_object
            while key in self._taken:  # one object may stand in several places
                key = f"{key}~{node.identifier}"
            self._taken.add(key)
            item = self._item(self._find(node.spec_object))
            yield {"key": key, "parent": parent, **item}
            yield from self.below(key, node.children)

    def _item(self, found: Any) -> dict[str, Any]:
        said = {self._named[a.definition_ref][0]: a for a in found.attributes}
        names = [_plain(said[name]) for name in NAMES if name in said]
        name = next(filter(None, names), found.long_name or found.identifier)
        text = next((said[name] for name in TEXTS if name in said), None)
        html = None if text is None else text.value_stripped_xhtml or str(text.value)
        return {
            "name": name[:LONGEST],
            "type": "Requirement",
            "description": None if html is None else {"html": html},
            "fields": {f: self._value(said.get(a)) for a, f in self._fields.items()},
        }

    def _value(self, attribute: Any) -> Any:
        match attribute and attribute.attribute_type.name:
            case None:
                return None
            case "ENUMERATION":
                return [self._words.get(ref, ref) for ref in attribute.value] or None
            case "INTEGER" | "REAL" | "BOOLEAN":
                return json.loads(attribute.value)
            case _:
                return _plain(attribute)


def _plain(attribute: Any) -> str:
    """Return the text of an attribute without its markup."""
    node, is_marked = attribute.xml_node, attribute.attribute_type.name == "XHTML"
    text = "".join(node.itertext()) if is_marked else str(attribute.value)
    return " ".join(text.split())


def _load(path: str) -> Any:
    from reqif.parser import ReqIFParser  # only who runs this generator needs it

    if not Path(path).is_file():
        raise ConfigurationError("reqif", f"there is no file {path!r}; give its path")
    try:
        bundle = ReqIFParser.parse(path)
        if bundle.core_content and bundle.core_content.req_if_content:
            return bundle
    except Exception as error:  # the parser raises whatever it stumbles over
        reason = " ".join(str(error).split())
        raise DocumentError(path, f"not a readable ReqIF file: {reason}") from error
    raise DocumentError(path, "it is empty")
