from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_codebeamer.emulator import DEMO_TRACKER_ID, Emulator
from airflow_codebeamer.errors import ConfigurationError, DocumentError
from airflow_codebeamer.generators.reqif import requirements
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Owner
from airflow_codebeamer.wiring import Codebeamer

#: As a requirements tool exports it: types with named attributes, an enumeration,
#: text in XHTML, a tree in which one object stands twice.
FILE = """<?xml version="1.0" encoding="UTF-8"?>
<REQ-IF xmlns="http://www.omg.org/spec/ReqIF/20110401/reqif.xsd"
        xmlns:xhtml="http://www.w3.org/1999/xhtml">
 <THE-HEADER><REQ-IF-HEADER IDENTIFIER="h">
  <CREATION-TIME>2026-01-01T00:00:00Z</CREATION-TIME><REQ-IF-TOOL-ID>t</REQ-IF-TOOL-ID>
  <REQ-IF-VERSION>1.0</REQ-IF-VERSION><SOURCE-TOOL-ID>s</SOURCE-TOOL-ID>
  <TITLE>Brake</TITLE></REQ-IF-HEADER></THE-HEADER>
 <CORE-CONTENT><REQ-IF-CONTENT>
  <DATATYPES>
   <DATATYPE-DEFINITION-STRING IDENTIFIER="dt-s" LONG-NAME="String"/>
   <DATATYPE-DEFINITION-INTEGER IDENTIFIER="dt-i" LONG-NAME="Integer"/>
   <DATATYPE-DEFINITION-XHTML IDENTIFIER="dt-x" LONG-NAME="XHTML"/>
   <DATATYPE-DEFINITION-ENUMERATION IDENTIFIER="dt-e" LONG-NAME="ASIL">
    <SPECIFIED-VALUES>
     <ENUM-VALUE IDENTIFIER="e-b" LONG-NAME="B"><PROPERTIES>
      <EMBEDDED-VALUE KEY="1" OTHER-CONTENT=""/></PROPERTIES></ENUM-VALUE>
     <ENUM-VALUE IDENTIFIER="e-d" LONG-NAME="D"><PROPERTIES>
      <EMBEDDED-VALUE KEY="2" OTHER-CONTENT=""/></PROPERTIES></ENUM-VALUE>
    </SPECIFIED-VALUES>
   </DATATYPE-DEFINITION-ENUMERATION>
  </DATATYPES>
  <SPEC-TYPES>
   <SPEC-OBJECT-TYPE IDENTIFIER="ot" LONG-NAME="Requirement"><SPEC-ATTRIBUTES>
    <ATTRIBUTE-DEFINITION-STRING IDENTIFIER="a-n" LONG-NAME="ReqIF.ChapterName">
     <TYPE><DATATYPE-DEFINITION-STRING-REF>dt-s</DATATYPE-DEFINITION-STRING-REF></TYPE>
    </ATTRIBUTE-DEFINITION-STRING>
    <ATTRIBUTE-DEFINITION-XHTML IDENTIFIER="a-t" LONG-NAME="ReqIF.Text">
     <TYPE><DATATYPE-DEFINITION-XHTML-REF>dt-x</DATATYPE-DEFINITION-XHTML-REF></TYPE>
    </ATTRIBUTE-DEFINITION-XHTML>
    <ATTRIBUTE-DEFINITION-ENUMERATION IDENTIFIER="a-e" LONG-NAME="Integrity">
     <TYPE><DATATYPE-DEFINITION-ENUMERATION-REF>dt-e</DATATYPE-DEFINITION-ENUMERATION-REF></TYPE>
    </ATTRIBUTE-DEFINITION-ENUMERATION>
    <ATTRIBUTE-DEFINITION-INTEGER IDENTIFIER="a-i" LONG-NAME="Cycle">
     <TYPE><DATATYPE-DEFINITION-INTEGER-REF>dt-i</DATATYPE-DEFINITION-INTEGER-REF></TYPE>
    </ATTRIBUTE-DEFINITION-INTEGER>
   </SPEC-ATTRIBUTES></SPEC-OBJECT-TYPE>
  </SPEC-TYPES>
  <SPEC-OBJECTS>
   <SPEC-OBJECT IDENTIFIER="r-1"><VALUES>
     <ATTRIBUTE-VALUE-STRING THE-VALUE="Driver brake demand"><DEFINITION>
      <ATTRIBUTE-DEFINITION-STRING-REF>a-n</ATTRIBUTE-DEFINITION-STRING-REF>
     </DEFINITION></ATTRIBUTE-VALUE-STRING>
     <ATTRIBUTE-VALUE-XHTML><DEFINITION>
      <ATTRIBUTE-DEFINITION-XHTML-REF>a-t</ATTRIBUTE-DEFINITION-XHTML-REF></DEFINITION>
      <THE-VALUE><xhtml:div>Within <xhtml:b>50 ms</xhtml:b>.</xhtml:div></THE-VALUE>
     </ATTRIBUTE-VALUE-XHTML>
     <ATTRIBUTE-VALUE-ENUMERATION><VALUES><ENUM-VALUE-REF>e-d</ENUM-VALUE-REF></VALUES>
      <DEFINITION><ATTRIBUTE-DEFINITION-ENUMERATION-REF>a-e</ATTRIBUTE-DEFINITION-ENUMERATION-REF>
      </DEFINITION></ATTRIBUTE-VALUE-ENUMERATION>
     <ATTRIBUTE-VALUE-INTEGER THE-VALUE="10"><DEFINITION>
      <ATTRIBUTE-DEFINITION-INTEGER-REF>a-i</ATTRIBUTE-DEFINITION-INTEGER-REF>
     </DEFINITION></ATTRIBUTE-VALUE-INTEGER>
    </VALUES><TYPE><SPEC-OBJECT-TYPE-REF>ot</SPEC-OBJECT-TYPE-REF></TYPE></SPEC-OBJECT>
   <SPEC-OBJECT IDENTIFIER="r-2" LONG-NAME="Standstill hold">
    <TYPE><SPEC-OBJECT-TYPE-REF>ot</SPEC-OBJECT-TYPE-REF></TYPE></SPEC-OBJECT>
  </SPEC-OBJECTS>
  <SPECIFICATIONS>
   <SPECIFICATION IDENTIFIER="s-1" LONG-NAME="Brake system">
    <CHILDREN>
     <SPEC-HIERARCHY IDENTIFIER="n-1"><OBJECT>
       <SPEC-OBJECT-REF>r-1</SPEC-OBJECT-REF></OBJECT>
      <CHILDREN><SPEC-HIERARCHY IDENTIFIER="n-2"><OBJECT>
       <SPEC-OBJECT-REF>r-2</SPEC-OBJECT-REF></OBJECT></SPEC-HIERARCHY></CHILDREN>
     </SPEC-HIERARCHY>
     <SPEC-HIERARCHY IDENTIFIER="n-3"><OBJECT>
       <SPEC-OBJECT-REF>r-2</SPEC-OBJECT-REF></OBJECT></SPEC-HIERARCHY>
    </CHILDREN>
   </SPECIFICATION>
  </SPECIFICATIONS>
 </REQ-IF-CONTENT></CORE-CONTENT>
</REQ-IF>
"""

FIELDS = {"Integrity": "ASIL", "Cycle": "Cycle Time"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "brake.reqif"
    path.write_text(FILE)
    return path


def test_the_tree_of_the_file_becomes_the_tree_of_items(file: Path) -> None:
    head, folder, first, second, again = requirements(str(file), fields=FIELDS)
    assert head["identity"] == {"prefix": "reqif:"}
    assert folder == {"key": "s-1", "name": "Brake system", "type": "Folder"}
    assert (first["key"], first["parent"]) == ("r-1", "s-1")
    assert first["name"] == "Driver brake demand"
    assert "<b>50 ms</b>" in first["description"]["html"]
    assert first["fields"] == {"ASIL": ["D"], "Cycle Time": 10}
    assert (second["key"], second["parent"]) == ("r-2", "r-1")
    assert (second["name"], second["description"]) == ("Standstill hold", None)
    assert second["fields"] == {"ASIL": None, "Cycle Time": None}
    assert (again["key"], again["parent"]) == ("r-2~n-3", "s-1")


def test_it_fills_a_tracker_beside_another_generator(
    server: Emulator, codebeamer: Codebeamer, file: Path
) -> None:
    def another() -> Any:
        yield {"identity": {"prefix": "mine:"}}
        yield {"key": "1", "name": "Mine"}

    tracker = TrackerId(DEMO_TRACKER_ID)
    lock = codebeamer.engine.acquire(tracker, owner=Owner("test"))
    runner, args = codebeamer.runner, {"reqif": str(file), "fields": FIELDS}
    for _ in range(2):
        for generator, given in ((another, {}), (requirements, args)):
            summary = runner.apply(generator, given, tracker, lock, run_key="test")
            # What carries another prefix is somebody else's, and not gone.
            assert summary.warnings == ()
    assert (summary.created, summary.unchanged) == (0, 4)
    names = [item["name"] for item in server.items(DEMO_TRACKER_ID)]
    assert sorted(names) == [
        "Brake system",
        "Driver brake demand",
        "Mine",
        "Standstill hold",
        "Standstill hold",
    ]


def test_what_is_no_reqif_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no file"):
        list(requirements("missing.reqif"))
    for text in ("", "<REQ-IF>", "no xml", FILE.replace("CORE-CONTENT", "OTHER")):
        path = tmp_path / "broken.reqif"
        path.write_text(text)
        with pytest.raises(DocumentError) as caught:
            list(requirements(str(path)))
        assert "broken.reqif" in str(caught.value)
        assert "\n" not in str(caught.value)
