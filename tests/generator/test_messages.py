from __future__ import annotations

import base64
import json
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_codebeamer.errors import GeneratorProtocolError
from airflow_codebeamer.generator.messages import (
    MESSAGES,
    Log,
    Message,
    Progress,
    Result,
    read_message,
)
from airflow_codebeamer.generator.pipes import pipes_value


def read(said: object) -> Message | None:
    return read_message(json.dumps(said).encode(), 1, "g")


def test_a_message_of_each_method_is_read() -> None:
    params = {
        "log": {"message": "a"},
        "progress": {"done": 1},
        "warning": {"message": "a"},
        "item": {"key": "a", "name": "A"},
    }
    for method, model in MESSAGES.items():
        found = read({"cbgen": "1", "method": method, "params": params.get(method, {})})
        assert isinstance(found, model)


def test_params_may_be_left_out_and_blank_lines_say_nothing() -> None:
    assert read({"cbgen": "1", "method": "result"}) == Result()
    assert read_message(b"  \r", 1, "g") is None


def test_what_is_said_is_kept() -> None:
    said = {"done": 3, "total": 9, "phase": "export"}
    message = read({"cbgen": "1", "method": "progress", "params": said})
    assert message == Progress(done=3, total=9, phase="export")


@pytest.mark.parametrize(
    ("level", "ours"), [("CRITICAL", "ERROR"), ("INFO", "INFO"), ("NOTSET", "INFO")]
)
def test_levels_of_pipes_are_ours(level: str, ours: str) -> None:
    params = {"level": level, "message": "m"}
    said = {"__dagster_pipes_version": "0.1", "method": "log", "params": params}
    assert read(said) == Log.model_validate({"level": ours, "message": "m"})


def test_another_version_of_pipes_is_refused() -> None:
    said = {"__dagster_pipes_version": "9", "method": "log", "params": {}}
    with pytest.raises(GeneratorProtocolError, match="'9' is not known"):
        read(said)


def test_a_value_of_pipes_is_packed_as_pipes_packs_it() -> None:
    value = pipes_value({"path": "/x"})
    assert json.loads(zlib.decompress(base64.b64decode(value))) == {"path": "/x"}


@given(st.binary(max_size=200))
def test_no_line_is_anything_but_read_or_refused(line: bytes) -> None:
    refused = ""
    try:
        read_message(line, 7, "g")
    except GeneratorProtocolError as error:
        refused = str(error)
    assert not refused or "line 7 of its messages" in refused
    assert len(refused) < 1_000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.sampled_from([*MESSAGES, "", "itme"]), JSON, st.sampled_from(["1", "2", 1]))
def test_no_message_is_anything_but_read_or_refused(
    method: str, params: object, version: object
) -> None:
    custom = {"payload": {"method": method, "params": params}}
    pipes = {"__dagster_pipes_version": "0.1"}
    for said in (
        {"cbgen": version, "method": method, "params": params},
        {**pipes, "method": method, "params": params},
        {**pipes, "method": "report_custom_message", "params": custom},
    ):
        with suppress(GeneratorProtocolError):
            read(said)
