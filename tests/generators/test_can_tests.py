from __future__ import annotations

from pathlib import Path

import pytest

from airflow_codebeamer.generators.can import requirements
from airflow_codebeamer.generators.can_tests import cases

pytest.importorskip("opendbc")

SMALL = """VERSION ""
NS_ :
BS_:
BU_: Brake Engine
BO_ 288 Pedal: 8 Brake
 SG_ Travel : 0|12@1+ (0.05,0) [0|100] "%"  Engine
BO_ 2147483936 Long: 4 Engine
 SG_ Speed : 0|16@1+ (1,0) [0|0] "rpm" Vector__XXX
 SG_ Lean : 16|8@1- (2,10) [0|0] "" Vector__XXX
BA_DEF_ BO_  "GenMsgCycleTime" INT 0 3600000;
BA_DEF_DEF_  "GenMsgCycleTime" 0;
BA_ "GenMsgCycleTime" BO_ 288 10;
"""


@pytest.fixture
def small(tmp_path: Path) -> str:
    path = tmp_path / "small.dbc"
    path.write_text(SMALL)
    return str(path)


def test_a_signal_has_its_test_cases(small: str) -> None:
    head, folder, travel, silent, line, *_ = cases(small, requirements=2001)
    assert head["identity"] == {"prefix": "can-test:"}
    assert folder == {"key": "0x120", "name": "0x120 Pedal", "type": "Folder"}
    assert [one["key"] for one in (travel, silent, line)] == [
        "0x120/Travel/range",
        "0x120/Travel/time-out",
        "0x120/Travel/end of line",
    ]
    assert travel["steps"][1] == {
        "action": "Send Travel = 100 %",
        "expected": "The value is taken over",
        "critical": False,
    }
    assert travel["steps"][2]["critical"]
    assert "for 50 ms" in silent["steps"][0]["action"]
    verified = [{"tracker": 2001, "key": "can:0x120/Travel"}]
    assert travel["fields"] == {"Verifies": verified}


def test_a_file_without_range_or_cycle_leaves_the_bits(small: str) -> None:
    found = {one["key"]: one for one in list(cases(small))[1:]}
    assert "0x120x/Speed/time-out" not in found
    speed, lean = found["0x120x/Speed/range"], found["0x120x/Lean/range"]
    assert speed["steps"][1]["action"] == "Send Speed = 65535 rpm"
    assert lean["steps"][0]["action"] == "Send Lean = -246"
    assert speed["fields"] == {}


def test_each_test_case_points_at_a_requirement_that_is_there() -> None:
    keys = {f"can:{one['key']}" for one in list(requirements())[1:]}
    found = list(cases(requirements=2001))[1:]
    pointed = {one["fields"]["Verifies"][0]["key"] for one in found if "steps" in one}
    assert pointed <= keys
    assert len(pointed) == 1348
    assert len({one["key"] for one in found}) == len(found)
