"""Lists: in pages or whole, and the several shapes in which they come."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil
from typing import Any, TypeVar

from airflow_codebeamer.client.answers import read_many
from airflow_codebeamer.client.transport import Transport
from airflow_codebeamer.errors import ContractError, Retry
from airflow_codebeamer.models import Answer, Page

__all__ = ["LONGEST_PAGE", "list_paged", "list_whole", "page_of", "read_pages"]

T = TypeVar("T", bound=Answer)

#: The vendor's documented maximum.
LONGEST_PAGE = 500

_KEYS = (
    "items",
    "itemRefs",
    "references",
    "members",
    "users",
    "projects",
    "trackers",
)

FetchPage = Callable[[int, int], Any]


def list_paged(transport: Transport, model: type[T], path: str) -> list[T]:
    """Return all of a list that the server cuts into pages."""

    def fetch(number: int, size: int) -> Any:
        query = {"page": number, "pageSize": size}
        return transport.read("GET", path, query=query)

    where = f"GET {path}"
    entries = read_pages(fetch, where, connections=transport.connections)
    return read_many(model, entries, where)


def list_whole(
    transport: Transport,
    model: type[T],
    path: str,
    *,
    query: dict[str, Any] | None = None,
) -> list[T]:
    """Return all of a list that the server gives in one answer."""
    where = f"GET {path}"
    answer = transport.read("GET", path, query=query)
    page = page_of(answer, where, number=1, size=LONGEST_PAGE)
    return read_many(model, page.entries, where)


def page_of(answer: Any, where: str, *, number: int, size: int) -> Page[Any]:
    """Return an answer as a page; a bare array is one page that holds all.

    `number` and `size` are what was asked for and stand in for what the answer
    does not say.

    Raises:
        ContractError: there is no list in it.
    """
    if answer is None:
        answer = []
    if isinstance(answer, list):
        count = len(answer)
        return Page(number=1, size=max(1, count), total=count, entries=tuple(answer))
    if not isinstance(answer, dict):
        raise ContractError(where, f"{type(answer).__name__} in place of a list")
    entries = _entries(answer, where)
    return Page(
        number=_number(answer, "page", number),
        size=_number(answer, "pageSize", size) or size,
        total=_number(answer, "total", len(entries)),
        entries=tuple(entries),
    )


def read_pages(
    fetch: FetchPage,
    where: str,
    *,
    page_size: int = LONGEST_PAGE,
    connections: int = 1,
    convert: Callable[[Any], Any] | None = None,
) -> list[Any]:
    """Return the entries of all pages, in the server's order.

    `convert` makes something smaller of each entry as soon as its page is there,
    so that a long list never stands in memory whole as it came.

    Page 1 tells how many there are, the others are fetched at the same time,
    at most `connections` of them. If the total changes between the pages, or
    the entries are not as many as it says, or one comes twice, everything is
    read once more.

    Not promised: an entry that changes its place while the number of entries
    stays the same and none comes twice is not noticed.

    Raises:
        ContractError: the second reading does not agree with itself either;
            its `retry` says that later may help.
    """
    finding = ""
    for _ in range(2):
        pages = _fetch_all(fetch, where, page_size, connections, convert)
        finding = _finding(pages)
        if not finding:
            return [entry for page in pages for entry in page.entries]
    error = ContractError(
        where,
        finding,
        advice="somebody may be changing the list right now, try again later",
    )
    error.retry = Retry.YES
    raise error


@dataclass(frozen=True)
class _Fetched:
    """A page whose entries may be something else by now; `seen` tells them apart."""

    size: int
    total: int
    entries: list[Any]
    seen: list[Hashable]


def _fetch_all(
    fetch: FetchPage,
    where: str,
    page_size: int,
    connections: int,
    convert: Callable[[Any], Any] | None,
) -> list[_Fetched]:
    def one(number: int) -> _Fetched:
        answer = fetch(number, page_size)
        page = page_of(answer, where, number=number, size=page_size)
        seen = [_identity(entry) for entry in page.entries]
        entries = list(map(convert, page.entries)) if convert else list(page.entries)
        return _Fetched(page.size, page.total, entries, seen)

    first = one(1)
    # A server may allow less than was asked for, and says so in its answer.
    count = ceil(first.total / first.size)
    if count <= 1:
        return [first]
    workers = min(connections, count - 1)
    with ThreadPoolExecutor(workers, thread_name_prefix="codebeamer-page") as pool:
        try:
            return [first, *pool.map(one, range(2, count + 1))]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _finding(pages: list[_Fetched]) -> str:
    totals = {page.total for page in pages}
    if len(totals) > 1:
        return f"totals of {' and '.join(map(str, sorted(totals)))} in one list"
    seen = [identity for page in pages for identity in page.seen]
    if len(seen) != pages[0].total:
        return f"{len(seen)} of {pages[0].total} entries"
    known = [identity for identity in seen if identity is not None]
    if len(set(known)) != len(known):
        return "the same entry twice in one list"
    return ""


def _identity(entry: Any) -> Hashable:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), int):
        return None
    # Members are users and groups, whose numbers may be the same.
    return entry["id"], entry.get("type")


def _entries(answer: dict[str, Any], where: str) -> list[Any]:
    for key in _KEYS:
        if isinstance(answer.get(key), list):
            found: list[Any] = answer[key]
            return found
    if answer.get("total") == 0:
        return []
    raise ContractError(where, f"an object without any of the lists {', '.join(_KEYS)}")


def _number(answer: dict[str, Any], key: str, otherwise: int) -> int:
    value = answer.get(key)
    return value if isinstance(value, int) and value >= 0 else otherwise
