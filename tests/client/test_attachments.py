from __future__ import annotations

import pytest

from airflow_codebeamer.emulator import DEMO_TRACKER_ID
from airflow_codebeamer.errors import NotFoundError, OutcomeUnknownError
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.models import NewItem

CONTENT = bytes(range(256)) * 5 + b"\r\n--no boundary--\r\n"


@pytest.fixture
def item(client):
    return client.items.create_item(TrackerId(DEMO_TRACKER_ID), NewItem("A")).id


def test_a_file_comes_back_as_it_went(client, item):
    added = client.attachments.add_attachment(item, 'a "b"\r\né.bin', CONTENT)

    assert client.attachments.get_content(item, added.id) == CONTENT
    [listed] = client.attachments.list_attachments(item)
    assert (listed.id, listed.size, listed.version) == (added.id, len(CONTENT), 1)
    assert listed.sha512 == added.sha512 != ""
    assert "é.bin" in listed.name


def test_a_new_revision_takes_the_place_of_the_old(client, item):
    added = client.attachments.add_attachment(item, "a.json", b"1")
    client.attachments.add_attachment(item, "b.json", b"2")

    newer = client.attachments.replace_content(item, added, b"3")

    assert (newer.id, newer.version) == (added.id, 2)
    assert client.attachments.get_content(item, added.id) == b"3"
    names = [one.name for one in client.attachments.list_attachments(item, "a.js")]
    assert names == ["a.json"]


def test_what_is_not_there_is_told(client, item):
    with pytest.raises(NotFoundError):
        client.attachments.get_content(item, 99)


def test_an_answer_that_is_lost_is_no_success(client, emulator, item):
    emulator.add_fault(
        {"kind": "drop_answer", "operation": "uploadTrackerItemAttachment"}
    )

    with pytest.raises(OutcomeUnknownError):
        client.attachments.add_attachment(item, "a.json", b"1")
    assert len(client.attachments.list_attachments(item, "a.json")) == 1
