from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from airflow_codebeamer.errors import ConfigurationError, DocumentError
from airflow_codebeamer.generators.can import SIGNAL_FIELDS, requirements

pytest.importorskip("opendbc")

SMALL = """VERSION ""
NS_ :
BS_:
BU_: Brake Engine
BO_ 288 Pedal: 8 Brake
 SG_ Travel : 0|12@1+ (0.05,0) [0|100] "%"  Engine
 SG_ Trend : 23|8@0- (1,-10) [-138|117] "" Engine,Brake
BO_ 2147483936 Long: 4 Engine
 SG_ Speed : 0|16@1+ (1,0) [0|0] "rpm" Vector__XXX
CM_ BO_ 288 "How far the
driver presses.";
CM_ SG_ 288 Travel "Zero is released.";
BA_DEF_ BO_  "GenMsgCycleTime" INT 0 3600000;
BA_DEF_DEF_  "GenMsgCycleTime" 0;
BA_ "GenMsgCycleTime" BO_ 288 10;
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.dbc"
    path.write_text(SMALL)
    return path


def test_the_real_database_has_a_folder_for_each_frame() -> None:
    head, *items = requirements("vw_mqb.dbc")
    assert head == {"identity": {"prefix": "can:"}}
    folders = [item for item in items if item["type"] == "Folder"]
    assert len(folders) == 113
    assert len(items) == 113 + 1348
    assert len({item["key"] for item in items}) == len(items)
    seen: set[str] = set()
    for item in items:
        assert item.get("parent") is None or item["parent"] in seen
        seen.add(item["key"])


def test_a_signal_says_everything_that_the_file_knows(small: Path) -> None:
    _, _, travel, trend, *_ = requirements(str(small))
    assert travel == {
        "key": "0x120/Travel",
        "name": "Travel",
        "type": "Requirement",
        "parent": "0x120",
        "description": "The frame Pedal shall carry the signal Travel. "
        "Zero is released.",
        "fields": {
            "Unit": "%",
            "Factor": 0.05,
            "Offset": 0,
            "Minimum": 0,
            "Maximum": 100,
            "Start Bit": 0,
            "Length": 12,
            "Byte Order": "little endian",
            "Signed": False,
            "Receivers": "Engine",
        },
    }
    assert trend["fields"]["Byte Order"] == "big endian"
    assert trend["fields"]["Signed"] is True
    assert trend["fields"]["Receivers"] == "Engine, Brake"
    assert trend["fields"]["Unit"] is None


def test_a_frame_has_its_cycle_time_and_an_extended_id_is_another_id(
    small: Path,
) -> None:
    _, pedal, _, _, long, _ = requirements(str(small))
    assert pedal["name"] == "0x120 Pedal"
    assert pedal["fields"] == {"Cycle Time": 10}
    assert "presses." in pedal["description"]
    assert (pedal["key"], long["key"]) == ("0x120", "0x120x")


def test_two_frames_of_one_id_have_two_keys(small: Path) -> None:
    again = SMALL.replace("BO_ 2147483936 Long", "BO_ 288 Long")
    small.write_text(again)
    _, *items = requirements(str(small))
    keys = [item["key"] for item in items]
    assert len(set(keys)) == len(keys)
    assert "0x120~Long/Speed" in keys


def test_prefix_and_fields_are_the_callers(small: Path) -> None:
    fields = {"unit": "Physical Unit"}
    head, *items = requirements(str(small), "net1/", {}, fields)
    assert head == {"identity": {"prefix": "net1/"}}
    assert items[0]["key"] == "0x120"
    assert items[0]["fields"] == {}
    assert items[1]["fields"] == {"Physical Unit": "%"}
    assert set(SIGNAL_FIELDS) > set(fields)


def keys_or_reason(name: str) -> list[str] | str:
    try:
        return [item["key"] for item in list(requirements(name))[1:]]
    except DocumentError as error:
        return str(error)


def test_every_file_of_the_package_is_read_or_refused_by_its_name() -> None:
    names = [f.name for f in (files("opendbc") / "dbc").iterdir()]
    found = {
        name: keys_or_reason(name)
        for name in sorted(names)[::4]
        if name.endswith(".dbc")
    }
    refused = {name: why for name, why in found.items() if isinstance(why, str)}
    assert all(f"{name}: not a readable" in why for name, why in refused.items())
    assert len(refused) < len(found) / 2
    for name in found.keys() - refused.keys():
        assert len(set(found[name])) == len(found[name]), name


def test_a_file_that_is_no_dbc_is_refused_in_one_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "broken.dbc"
    broken.write_text(SMALL.replace("BO_ 288 Pedal", "BO_ Pedal 288"))
    with pytest.raises(DocumentError) as caught:
        list(requirements(str(broken)))
    sentence = str(caught.value)
    assert "broken.dbc: not a readable DBC file" in sentence
    assert "line 5" in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("name", ["nothing.dbc", "../setup.py", "no/such/file.dbc"])
def test_a_missing_file_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="give the path of a DBC file"):
        list(requirements(name))
