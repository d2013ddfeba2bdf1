"""A short choice of what `make fuzz` sends; the whole takes minutes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fuzz.descriptions import own, vendor
from tests.fuzz.firing import fire, lines
from tests.fuzz.target import target

VENDOR = os.environ.get("CODEBEAMER_VENDOR_DESCRIPTION", "")


def test_no_answer_is_outside_the_emulators_own_description() -> None:
    with target() as server:
        fired = fire(server, own(server), at_least=400)
    assert not fired.findings, "\n".join(lines(fired))
    assert fired.requests >= 400
    assert {200, 400, 401, 403, 404} <= fired.statuses.keys()


@pytest.mark.skipif(
    not VENDOR, reason="CODEBEAMER_VENDOR_DESCRIPTION names no openapi-22.10.json"
)
def test_no_answer_is_outside_the_vendors_description() -> None:
    with target() as server:
        fired = fire(server, vendor(Path(VENDOR)), at_least=400)
    assert not fired.findings, "\n".join(lines(fired))


def test_a_broken_answer_is_found() -> None:
    """The judge is awake: a description that says otherwise has findings."""
    with target() as server:
        document = own(server)
        paths = {"/v3/roles": document["paths"]["/v3/roles"]}
        del paths["/v3/roles"]["get"]["responses"]["401"]
        schemas = document["components"]["schemas"]
        del schemas["RoleReference"]["properties"]["name"]
        fired = fire(server, {**document, "paths": paths}, at_least=40)
    assert {kind for _, kind in fired.findings} == {
        "UndefinedStatusCode",
        "JsonSchemaError",
    }
