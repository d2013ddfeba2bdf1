"""The template's form: what it begins with, and what tasks make of the answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.operators.codebeamer import some_span, yes_or_no
from airflow_codebeamer.template import exclusive_tracker, generator_dag


def form(**given: Any) -> Any:
    return generator_dag("x", generator="a:b", deadline=None, **given).params


def test_form_begins_with_what_the_dag_says() -> None:
    usual = form()
    assert usual["priority"] == 0
    assert usual["wait_for"] == "10m"
    assert usual["skip_if_locked"] is False
    given = form(priority=3, wait_for=None, skip_if_locked=True)
    assert (given["priority"], given["wait_for"]) == (3, None)
    assert given["skip_if_locked"] is True
    assert form(default_args={"priority": 2})["priority"] == 2


@pytest.mark.parametrize(
    ("span", "typed"),
    [
        (timedelta(hours=2, minutes=30), "2h30m"),
        (timedelta(days=1, hours=1, minutes=1), "90060.0s"),
        (timedelta(seconds=0.5), "0.5s"),
    ],
)
def test_nothing_of_a_wait_is_lost_in_the_form(span: timedelta, typed: str) -> None:
    assert form(wait_for=span)["wait_for"] == typed
    assert some_span(typed, "wait_for") == span


def test_answers_as_templates_leave_them() -> None:
    assert some_span("", "wait_for") is None
    assert some_span(None, "wait_for") is None
    assert some_span("0", "wait_for") == timedelta(0)
    assert yes_or_no("True", "skip_if_locked") is True
    assert yes_or_no(False, "skip_if_locked") is False
    with pytest.raises(ConfigurationError, match="wait_for: write a time like 90s"):
        some_span("soon", "wait_for")
    with pytest.raises(ConfigurationError, match="say true or false, not ''"):
        yes_or_no("", "skip_if_locked")


def test_what_nobody_says_is_left_to_default_args() -> None:
    with DAG("own", schedule=None, default_args={"deferrable": True}):
        with exclusive_tracker(7, group_id="a") as lock:
            pass
        with exclusive_tracker(7, group_id="b", deferrable=False, priority=4) as other:
            pass
    assert (lock.deferrable, other.deferrable) == (True, False)
    assert other.priority == 4
    (reserve,) = [one for one in other.upstream_list if one.is_setup]
    assert reserve.priority == 4, "it must not be overtaken before it locks"
