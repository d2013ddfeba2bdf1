from __future__ import annotations

import json

import pytest

from airflow_codebeamer.errors import DocumentError
from airflow_codebeamer.ids import FieldId
from airflow_codebeamer.models import Item
from airflow_codebeamer.skeleton.fields import FieldShape, is_same
from airflow_codebeamer.skeleton.kinds import Kind
from airflow_codebeamer.skeleton.values import Html, Plain, Wiki

OPTIONS = ((0, "Unset"), (1, "A"), (2, "B"), (3, "C"))


def shape(kind: Kind, **more) -> FieldShape:
    options = OPTIONS if kind is Kind.CHOICE else ()
    return FieldShape(FieldId(7), "F", kind, options=options, **more)


@pytest.mark.parametrize(
    ("kind", "value", "ours"),
    [
        (Kind.TEXT, "x", "x"),
        (Kind.TEXT, Plain(plain="x"), "x"),
        (Kind.TEXT, None, None),
        (Kind.URL, "https://x", "https://x"),
        (Kind.WIKI, "__x__", "__x__"),
        (Kind.WIKI, Wiki(wiki="__x__"), "__x__"),
        (Kind.WIKI, Html(html="<b>x</b>"), "[{Html\n\n<b>x</b>\n}]"),
        (Kind.INTEGER, 8.0, 8),
        (Kind.DECIMAL, 8, 8),
        (Kind.BOOL, True, True),
        (Kind.DATE, "2026-01-31", "2026-01-31T00:00:00.000"),
        (Kind.DATE, "2026-01-31 10:20", "2026-01-31T10:20:00.000"),
        (Kind.CHOICE, "B", (2,)),
        (Kind.CHOICE, (), ()),
        (Kind.CHOICE, None, ()),
        (Kind.CHOICE, "Unset", ()),
    ],
)
def test_values_of_a_document(kind, value, ours):
    parsed = shape(kind).parse(value, "p")
    assert parsed == ours
    assert type(parsed) is type(ours)


def test_several_options_have_no_order():
    many = shape(Kind.CHOICE, is_multiple=True)
    assert many.parse(("C", "A", "C"), "p") == (1, 3)
    assert many.show((1, 3)) == "'A', 'C'"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.INTEGER, 9),
        (Kind.INTEGER, 1),
        (Kind.DECIMAL, 8.5),
        (Kind.TEXT, "x"),
        (Kind.TEXT, "x" * 9),
        (Kind.WIKI, "x" * 9),
    ],
)
def test_sizes_are_checked_before_anything_is_written(kind, value):
    bounded = shape(kind, low=2, high=8)
    with pytest.raises(DocumentError, match=r"'F' takes no (less|more) than (2|8)"):
        bounded.parse(value, "p")
    assert bounded.parse("12345678" if isinstance(value, str) else 8, "p")


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1])
def test_integers_have_32_bits(value):
    with pytest.raises(DocumentError, match="32 bits"):
        shape(Kind.INTEGER).parse(value, "p")


def test_errors_carry_the_place():
    with pytest.raises(DocumentError, match=r"^here: "):
        shape(Kind.BOOL).parse("yes", "here")


@pytest.mark.parametrize(
    ("kind", "value", "request_value"),
    [
        (Kind.TEXT, "x", {"value": "x"}),
        (Kind.TEXT, None, {"value": ""}),
        (Kind.WIKI, None, {"value": ""}),
        (Kind.INTEGER, None, {"value": None}),
        (Kind.BOOL, False, {"value": False}),
        (Kind.CHOICE, (), {"values": []}),
        (
            Kind.CHOICE,
            (2,),
            {"values": [{"id": 2, "name": "B", "type": "ChoiceOptionReference"}]},
        ),
    ],
)
def test_values_on_the_wire_name_their_type(kind, value, request_value):
    assert shape(kind).wire(value).request() == {
        "fieldId": 7,
        "name": "F",
        "type": kind.value,
        **request_value,
    }


def test_built_in_choices_are_one_reference_or_a_list():
    option = {"id": 1, "name": "A", "type": "ChoiceOptionReference"}
    single = shape(Kind.CHOICE, item_property="priority")
    several = shape(Kind.CHOICE, item_property="categories")
    assert single.property_json((1,)) == option
    assert single.property_json(()) is None
    assert several.property_json((1,)) == [option]


def test_what_was_written_is_read_back():
    item = Item.model_validate(
        {
            "id": 1,
            "priority": {"id": 2, "name": "B"},
            "categories": [{"id": 3}, {"id": 1}],
            "startDate": "2026-01-31T10:20:30.5+01:00",
            "customFields": [
                {"fieldId": 7, "type": "ChoiceFieldValue", "values": [{"id": 0}]},
                {"fieldId": 8, "type": "TextFieldValue", "value": "x"},
            ],
        }
    )
    assert shape(Kind.CHOICE, item_property="priority").read(item) == (2,)
    assert shape(Kind.CHOICE, item_property="categories").read(item) == (1, 3)
    assert shape(Kind.CHOICE, item_property="severities").read(item) == ()
    date = shape(Kind.DATE, item_property="startDate")
    assert date.read(item) == "2026-01-31T10:20:30.500"
    assert shape(Kind.CHOICE).read(item) == ()
    assert FieldShape(FieldId(8), "T", Kind.TEXT).read(item) == "x"
    assert FieldShape(FieldId(9), "T", Kind.TEXT).read(item) is None


@pytest.mark.parametrize(
    ("kind", "one", "other", "same"),
    [
        (Kind.TEXT, "a\r\nb", "a\nb", True),
        (Kind.TEXT, "a  \nb\n\n", "a\nb", True),
        (Kind.TEXT, None, "", True),
        (Kind.TEXT, " a", "a", False),
        (Kind.WIKI, "a\n\nb", "a\nb", False),
        (Kind.DECIMAL, 1, 1.0, True),
        (Kind.DECIMAL, 0.1 + 0.2, 0.3, True),
        (Kind.DECIMAL, 0.1, 0.1001, False),
        (Kind.DECIMAL, None, 0, False),
        (Kind.INTEGER, 8, 9, False),
        (Kind.BOOL, None, False, False),
        (Kind.CHOICE, (1,), (1,), True),
        (Kind.CHOICE, (1,), (), False),
        (Kind.DATE, "2026-01-31T00:00:00.000", "2026-01-31T00:00:00.001", False),
    ],
)
def test_sameness_is_that_of_a_reader(kind, one, other, same):
    assert is_same(shape(kind), one, other) is same


def test_a_shape_survives_the_journal():
    before = shape(Kind.CHOICE, item_property="priority", is_multiple=True)
    assert FieldShape.from_json(json.loads(json.dumps(before.to_json()))) == before


def test_long_and_empty_values_are_shown_short():
    assert shape(Kind.TEXT).show(None) == "empty"
    assert len(shape(Kind.TEXT).show("x" * 500)) < 90
