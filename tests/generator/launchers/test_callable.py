from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_codebeamer.errors import (
    ConfigurationError,
    DocumentError,
    GeneratorFailedError,
)
from airflow_codebeamer.generator import GeneratorContext, load_generator
from airflow_codebeamer.generator.launchers import describe
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.skeleton import Skeleton, load_document

Items = Iterator[dict[str, Any]]
TRACKER = TrackerId(2001)


def described(function: Any, **args: Any) -> Skeleton:
    (found,) = describe(load_generator(function), GeneratorContext(TRACKER, args=args))
    return found


def test_yielded_items_become_the_document_of_the_runs_tracker() -> None:
    def two(unit: str) -> Items:
        yield {"key": "a", "name": "A", "type": "Folder"}
        yield {"key": "b", "name": "B", "parent": "a", "fields": {"Unit": unit}}

    document = described(two, unit="bar")
    assert document.target.tracker == TRACKER
    assert [(w.item.key, w.parent) for w in document.list_wanted()] == [
        ("a", None),
        ("b", "a"),
    ]
    assert document.items[1].fields == {"Unit": "bar"}
    assert document.owner.endswith("two")


def test_a_list_will_do_and_so_will_nothing() -> None:
    assert described(lambda: [{"key": "a", "name": "A"}]).items[0].key == "a"
    assert described(list).items == ()


def test_a_whole_document_is_aimed_at_the_runs_tracker() -> None:
    whole = {
        "owner": "somebody",
        "target": {"tracker": 9},
        "identity": {"prefix": "x:"},
        "items": [{"key": "a", "name": "A"}],
    }
    for returned in (whole, load_document(whole)):
        document = described(lambda returned=returned: returned)
        assert document.target.tracker == TRACKER
        assert document.owner == "somebody"
        assert document.identity.prefix == "x:"


def test_a_document_without_a_description_stays_without_one() -> None:
    whole = load_document(
        {"owner": "o", "target": {"tracker": 9}, "items": [{"key": "a", "name": "A"}]}
    )
    assert not described(lambda: whole).items[0].has_description


def test_the_context_is_given_to_those_who_ask() -> None:
    seen: list[GeneratorContext] = []

    def asks(size: int, *, context: GeneratorContext) -> Items:
        seen.append(context)
        yield from ()

    context = GeneratorContext(TRACKER, "dag/run", dry_run=True, args={"size": 3})
    describe(load_generator(asks), context)
    assert seen == [context]


def test_a_generator_that_raises_half_way_keeps_its_error() -> None:
    def half_way() -> Items:
        yield {"key": "a", "name": "A"}
        raise OSError("the model export broke off")

    with pytest.raises(GeneratorFailedError) as caught:
        described(half_way)
    assert "OSError: the model export broke off" in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)


def test_our_own_errors_pass_unchanged() -> None:
    def refuses() -> Items:
        yield {"key": "a", "name": "A"}
        raise DocumentError("net.dbc", "not readable")

    with pytest.raises(DocumentError, match=r"net\.dbc: not readable"):
        described(refuses)


def test_wrong_arguments_are_refused_before_it_runs() -> None:
    ran: list[int] = []

    def counts(size: int) -> Items:
        ran.append(size)
        yield from ()

    with pytest.raises(ConfigurationError):
        described(counts, sise=1)
    assert ran == []


@pytest.mark.parametrize("returned", [None, 7, "text", b"bytes"])
def test_what_is_no_items_is_a_failure_of_the_generator(returned: Any) -> None:
    with pytest.raises(GeneratorFailedError, match="yield items"):
        described(lambda: returned)


@pytest.mark.parametrize(
    ("items", "says"),
    [
        ([("a", "A")], "a generator yields mappings"),
        ([{"key": "a", "name": "A", "feilds": {}}], "did you mean 'fields'"),
        ([{"key": "a", "name": "A"}, {"key": "a", "name": "B"}], "'a' is used"),
        ([{"key": "a", "name": "A", "parent": "b"}], "no item has the key 'b'"),
        ([{"name": "A"}], "'key' is missing"),
        (
            [
                {"key": "a", "name": "A", "parent": "b"},
                {"key": "b", "name": "B", "parent": "a"},
            ],
            "circle",
        ),
    ],
)
def test_what_is_no_document_is_refused_with_its_place(
    items: list[Any], says: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        described(lambda: items)
    assert says in str(caught.value)
    assert caught.value.path.startswith("items[")


def test_any_name_makes_an_owner() -> None:
    def a_generator_whose_name_is_far_too_long_for_the_owner_of_a_document() -> Items:
        yield from ()

    function = a_generator_whose_name_is_far_too_long_for_the_owner_of_a_document
    assert len(described(function).owner) <= 63
