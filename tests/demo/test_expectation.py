from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer.demo.expectation import (
    Expectation,
    dbc_path,
    differences,
    read_expectation,
)
from airflow_codebeamer.errors import ConfigurationError

DBC = """VERSION ""

BU_: ECU

BO_ 291 Brake: 8 ECU
 SG_ Pressure : 0|16@1+ (0.1,0) [0|100] "bar" ECU
 SG_ Active : 16|1@1+ (1,0) [0|1] "" ECU

BO_ 292 Steering: 8 ECU
 SG_ Angle : 0|16@1- (0.1,0) [0|0] "deg" ECU
"""

WANTED = Expectation((("Brake", ("Pressure", "Active")), ("Steering", ("Angle",))))


def items() -> list[dict[str, Any]]:
    return [
        {"id": 1, "name": "0x123 Brake"},
        {"id": 2, "parent": {"id": 1}, "name": "Pressure"},
        {"id": 3, "parent": {"id": 1}, "name": "Active"},
        {"id": 4, "name": "0x124 Steering"},
        {"id": 5, "parent": {"id": 4}, "name": "Angle"},
    ]


def keys() -> dict[int, str]:
    return {number: f"key {number}" for number in range(1, 6)}


def test_a_file_is_read_in_its_order(tmp_path: Path) -> None:
    file = tmp_path / "net.dbc"
    file.write_text(DBC, "utf-8")
    found = read_expectation(file)
    assert found == WANTED
    assert (len(found.frames), found.signals, found.items) == (2, 3, 5)


def test_the_default_file_is_the_one_that_everybody_knows() -> None:
    pytest.importorskip("opendbc")
    found = read_expectation(dbc_path(None))
    assert (len(found.frames), found.signals, found.items) == (113, 1348, 1461)


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no file .*nowhere\.dbc"):
        dbc_path(str(tmp_path / "nowhere.dbc"))


def test_a_tracker_that_equals_the_file_has_no_differences() -> None:
    assert differences(WANTED, items(), keys()) == []


def test_a_missing_item_is_found() -> None:
    found = differences(WANTED, items()[:-1], keys())
    assert found[0] == "4 items instead of 5"
    assert "below Steering are not its signals, or in another order" in found


def test_a_wrong_order_is_found() -> None:
    one, two, three, four, five = items()
    swapped = [one, three, two, four, five]
    assert differences(WANTED, swapped, keys()) == [
        "below Brake are not its signals, or in another order"
    ]
    folders = [four, five, one, two, three]
    assert "the folders are not the frames, or in another order" in differences(
        WANTED, folders, keys()
    )


def test_a_wrong_parent_is_found() -> None:
    moved = items()
    moved[4]["parent"] = {"id": 1}
    assert len(differences(WANTED, moved, keys())) == 2


def test_a_duplicate_is_found_by_its_key() -> None:
    again = [*items(), {"id": 6, "name": "0x124 Steering"}]
    found = differences(WANTED, again, {**keys(), 6: "key 4"})
    assert "the key key 4 twice" in found


def test_an_item_without_a_key_is_found() -> None:
    some = keys()
    del some[3]
    assert differences(WANTED, items(), some) == ["no key on Active"]
