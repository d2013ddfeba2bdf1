from __future__ import annotations

import threading
import time

import pytest

from airflow_codebeamer.client.paging import page_of, read_pages
from airflow_codebeamer.errors import ContractError, NotFoundError, Retry


def entry(number, kind="Item"):
    return {"id": number, "type": kind}


class Listing:
    """A list on a server; a change in it can be planned for any fetch."""

    def __init__(self, count, *, longest=500):
        self.entries = [entry(number) for number in range(count)]
        self.longest = longest
        self.fetched = []
        self.changes = {}
        self.guard = threading.Lock()

    def fetch(self, number, size):
        with self.guard:
            self.fetched.append(number)
            change = self.changes.pop(len(self.fetched), None)
            if change:
                change(self)
            size = min(size, self.longest)
            start = (number - 1) * size
            return {
                "page": number,
                "pageSize": size,
                "total": len(self.entries),
                "items": self.entries[start : start + size],
            }


@pytest.mark.parametrize(
    ("count", "pages"), [(0, 1), (1, 1), (10, 1), (11, 2), (95, 10)]
)
def test_all_entries_come_in_order(count, pages):
    listing = Listing(count)

    found = read_pages(listing.fetch, "here", page_size=10, connections=4)

    assert found == listing.entries
    assert sorted(listing.fetched) == list(range(1, pages + 1))
    assert listing.fetched[0] == 1


def test_a_server_that_gives_less_than_asked_is_followed():
    listing = Listing(95, longest=20)

    found = read_pages(listing.fetch, "here", page_size=500, connections=2)

    assert found == listing.entries
    assert len(listing.fetched) == 5


def test_the_other_pages_are_fetched_at_once_but_not_all():
    listing = Listing(90)
    together = threading.Barrier(3, timeout=10)
    busy, most = 0, 0
    guard = threading.Lock()

    def fetch(number, size):
        nonlocal busy, most
        if number == 1:
            return listing.fetch(number, size)
        with guard:
            busy += 1
            most = max(most, busy)
        if number <= 4:
            # Passes only if three requests are under way at the same time.
            together.wait()
        time.sleep(0.01)
        with guard:
            busy -= 1
        return listing.fetch(number, size)

    assert len(read_pages(fetch, "here", page_size=10, connections=3)) == 90
    assert most == 3


def test_a_change_while_reading_means_reading_again():
    listing = Listing(25)
    listing.changes[2] = lambda changed: changed.entries.append(entry(99))

    found = read_pages(listing.fetch, "here", page_size=10, connections=1)

    assert found == listing.entries
    assert len(found) == 26
    assert len(listing.fetched) == 6


def test_a_list_that_keeps_changing_is_an_error():
    listing = Listing(25)
    grow = lambda changed: changed.entries.append(entry(len(changed.entries)))  # noqa: E731
    listing.changes = {2: grow, 5: grow}

    with pytest.raises(ContractError, match="try again later") as caught:
        read_pages(listing.fetch, "GET /x", page_size=10, connections=1)

    assert caught.value.retry is Retry.YES
    assert "totals of 26 and 27" in caught.value.found


def test_entries_that_are_missing_are_noticed():
    def fetch(number, size):
        return {"page": 1, "pageSize": size, "total": 3, "items": [entry(1)]}

    with pytest.raises(ContractError, match="1 of 3 entries"):
        read_pages(fetch, "here", page_size=10)


def test_an_entry_that_moved_to_the_next_page_is_noticed():
    listing = Listing(20)

    def swap(changed):
        changed.entries.insert(0, entry(50))
        changed.entries.pop()

    listing.changes[2] = swap

    assert read_pages(listing.fetch, "here", page_size=10) == listing.entries
    assert len(listing.fetched) == 4


def test_a_user_and_a_group_may_have_the_same_number():
    def fetch(number, size):
        members = [entry(1, "UserReference"), entry(1, "UserGroupReference")]
        return {"page": 1, "pageSize": size, "total": 2, "members": members}

    assert len(read_pages(fetch, "here")) == 2


def test_an_error_on_a_page_comes_through():
    listing = Listing(95)
    missing = NotFoundError("no", method="GET", path="/x", status=404)

    def fetch(number, size):
        if number == 3:
            raise missing
        return listing.fetch(number, size)

    with pytest.raises(NotFoundError) as caught:
        read_pages(fetch, "here", page_size=10, connections=2)

    assert caught.value is missing


@pytest.mark.parametrize(
    "key",
    ["items", "itemRefs", "references", "members", "users", "projects", "trackers"],
)
def test_every_name_of_a_list_is_known(key):
    answer = {"page": 2, "pageSize": 2, "total": 3, key: [entry(3)]}

    page = page_of(answer, "here", number=2, size=10)

    assert (page.number, page.size, page.total) == (2, 2, 3)
    assert page.entries == (entry(3),)


def test_a_bare_array_is_everything():
    page = page_of([entry(1), entry(2)], "here", number=1, size=1)

    assert (page.number, page.size, page.total) == (1, 2, 2)


@pytest.mark.parametrize(
    "answer", [None, [], {"total": 0}, {"total": 0, "items": None}]
)
def test_nothing_is_an_empty_page(answer):
    assert page_of(answer, "here", number=1, size=10).total == 0
    assert read_pages(lambda number, size: answer, "here") == []


@pytest.mark.parametrize("answer", ["text", 5, {"total": 2}, {"entries": []}])
def test_what_holds_no_list_is_an_error(answer):
    with pytest.raises(ContractError, match="here"):
        page_of(answer, "here", number=1, size=10)
