from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from airflow_codebeamer.client.answers import (
    RawAnswer,
    error_of,
    json_of,
    read,
    read_many,
)
from airflow_codebeamer.errors import (
    BadRequestError,
    ConfigurationError,
    ContractError,
    ForbiddenError,
    ItemLockedError,
    NotFoundError,
    RateLimitedError,
    Retry,
    ServerError,
    UnauthorizedError,
)
from airflow_codebeamer.models import Item, Reference

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HTML = b"<html><body>Apache Tomcat: not found</body></html>"


def raw(status=200, body=b"{}", headers=None, **changed):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return RawAnswer(
        **{
            "method": "GET",
            "path": "/items/7",
            "status": status,
            "headers": headers or {},
            "body": body,
            "now": NOW,
            **changed,
        }
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequestError),
        (401, UnauthorizedError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (405, BadRequestError),
        (409, BadRequestError),
        (423, ItemLockedError),
        (429, RateLimitedError),
        (500, ServerError),
        (502, ServerError),
        (503, ServerError),
    ],
)
def test_each_status_has_its_error(status, kind):
    error = error_of(raw(status, {"message": "Nope", "resourceUri": "/items/7"}))

    assert type(error) is kind
    assert (error.method, error.path, error.status) == ("GET", "/items/7", status)
    assert error.server_message == "Nope"
    assert error.resource_uri == "/items/7"
    assert "Nope" in str(error)
    assert "GET /items/7" in str(error)


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff\xfe", HTML, b"null"])
@pytest.mark.parametrize("status", [400, 401, 403, 423, 429, 500])
def test_an_error_needs_no_readable_body(status, body):
    error = error_of(raw(status, body))

    assert error.status == status
    assert error.server_message == ""
    assert "Tomcat" not in str(error)


def test_success_is_no_error():
    assert error_of(raw(200)) is None
    assert error_of(raw(204, b"")) is None


def test_a_server_message_is_cut():
    error = error_of(raw(400, {"message": "x" * 5000}))

    assert error.server_message == "x" * 500


def test_advice_says_what_to_do():
    assert "login and password" in str(error_of(raw(401)))
    assert "token" in str(error_of(raw(401, is_bearer=True)))
    right = "Rest / Remote API - Access"
    assert right in str(error_of(raw(403, is_first=True)))
    assert right not in str(error_of(raw(403, is_first=False)))
    assert "editing" in str(error_of(raw(423)))


def test_what_the_server_does_not_offer_is_not_asked_again():
    assert error_of(raw(501)).retry is Retry.NEVER
    assert error_of(raw(500)).retry is Retry.AFTER_LOOKING


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        ({"retryAfterSecond": 7}, {}, 7),
        ({"retryAfterSecond": 7}, {"Retry-After": "99"}, 7),
        ({"message": "slow down"}, {"Retry-After": "9"}, 9),
        (b"<error>Too many requests</error>", {"Retry-After": "11"}, 11),
        (b"", {"Retry-After": "Sun, 01 Mar 2026 12:00:30 GMT"}, 30),
        (b"", {"Retry-After": "Sun, 01 Mar 2026 11:00:00 GMT"}, 0),
        (b"<error>Too many requests</error>", {}, None),
        ({"retryAfterSecond": "soon"}, {"Retry-After": "soon"}, None),
        ({"retryAfterSecond": -4}, {}, 0),
    ],
)
def test_how_long_a_throttle_asks_to_wait(body, headers, seconds):
    error = error_of(raw(429, body, headers))

    expected = None if seconds is None else timedelta(seconds=seconds)
    assert error.retry_after == expected


def test_a_refused_bulk_update_names_its_items():
    body = {
        "message": "At least one update failed",
        "failedOperations": [
            {"id": 5, "exceptionMessage": "Tracker item is not found."},
            {"id": 6},
            {"exceptionMessage": "nobody"},
        ],
    }

    for status in (400, 404, 422):
        error = error_of(raw(status, body))
        assert type(error) is BadRequestError
        assert error.failed == ((5, "Tracker item is not found."), (6, ""))


def test_a_redirect_is_reported_without_its_secrets():
    target = "https://bot:hunter2@other.example/login?ticket=hunter3#hunter4"
    error = error_of(raw(302, b"", {"Location": target}))

    assert type(error) is ConfigurationError
    assert "other.example/login" in str(error)
    assert "hunter" not in str(error)


def test_an_empty_answer_is_nothing():
    assert json_of(raw(200, b" \n"), is_write=False) is None


@pytest.mark.parametrize("body", [HTML, b'{"id": 1', b"\xff\xfe\x00", b"{'id': 1}"])
def test_what_is_no_json_is_told_but_not_quoted(body):
    answer = raw(200, body, {"Content-Type": "text/html;charset=utf-8"})

    with pytest.raises(ContractError) as caught:
        json_of(answer, is_write=False)

    assert caught.value.where == "GET /items/7"
    assert caught.value.found == f"{len(body)} bytes of text/html that is no JSON"
    assert caught.value.retry is Retry.NEVER


def test_an_unreadable_answer_to_a_write_asks_for_a_look():
    with pytest.raises(ContractError) as caught:
        json_of(raw(200, HTML), is_write=True)

    assert caught.value.retry is Retry.AFTER_LOOKING


def test_unknown_properties_are_kept():
    item = read(Item, {"id": 7, "name": "a", "angularIcon": {"x": [1]}}, "here")

    assert item.model_dump(by_alias=True)["angularIcon"] == {"x": [1]}


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"name": "a"}, "(Item.id)"),
        ({"id": "seven"}, "(Item.id)"),
        ({"id": 7, "customFields": [{"name": 3}]}, "(Item.customFields.0.name)"),
        ([1], "(Item)"),
        (None, "(Item)"),
    ],
)
def test_a_wrong_shape_is_located(value, place):
    with pytest.raises(ContractError) as caught:
        read(Item, value, "GET /items/7")

    assert caught.value.where == f"GET /items/7 {place}"
    assert caught.value.__context__ is None


def test_a_wrong_shape_in_a_list_is_located():
    with pytest.raises(ContractError, match=r"GET /roles\[1\] \(Reference\.id\)"):
        read_many(Reference, [{"id": 1}, {"id": []}], "GET /roles")
