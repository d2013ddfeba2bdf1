"""Moments: dates as a query writes them, absolute and relative to a clock.

Every moment becomes a text like the ones that items carry, so that texts are
compared. An absolute one is the first moment of what it names.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from airflow_codebeamer.emulator.cbql.tokens import Tokens, not_understood, unreadable

__all__ = ["Moment", "absolute", "normalized", "read_moment"]

_ABSOLUTE = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?: (?P<hour>\d\d)(?::(?P<minute>\d\d)(?::(?P<second>\d\d))?)?)?)?)?\Z",
    re.ASCII,
)
_SHORT = re.compile(r"(?P<count>[+-]\d+)(?P<unit>\w+)")
_SPANS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_MONTHS = {"m": 1, "q": 3, "y": 12}
_UNITS = {"DAY": "d", "WEEK": "w", "MONTH": "m", "YEAR": "y"}


@dataclass(frozen=True)
class Moment:
    """A moment so many units from now.

    `edge` is START or END where the moment is cut to its unit.
    """

    count: int = 0
    unit: str = ""
    edge: str = ""

    def at(self, now: datetime) -> str:
        """Return the moment as items write theirs."""
        try:
            moved = _moved(now, self.count, self.unit)
            return _written(_cut(moved, self.unit, self.edge))
        except (OverflowError, ValueError):
            # Before or after all time that there is.
            return "9999" if self.count > 0 else "0000"


def read_moment(tokens: Tokens) -> Moment:
    """Read a date that is relative to now.

    Raises:
        RefusedError: The query ends (400), or goes on in another way (501).
    """
    token = tokens.take()
    if token.kind == "moment":
        match = _SHORT.fullmatch(token.source)
        if match is not None:  # always, unless the two patterns drift apart
            return Moment(count=int(match["count"]), unit=match["unit"])
    if token.word in ("START", "END"):
        tokens.expect("OF")
        return _long(tokens, tokens.take().word, token.word)
    return _long(tokens, token.word or token.source, "")


def _long(tokens: Tokens, direction: str, edge: str) -> Moment:
    if direction not in ("NEXT", "PREVIOUS"):
        raise not_understood(tokens.query, direction)
    count = tokens.take()
    unit = tokens.take()
    if not re.fullmatch(r"\d{1,6}", count.source) or unit.word not in _UNITS:
        raise not_understood(tokens.query, f"{count.source} {unit.source}")
    sign = 1 if direction == "NEXT" else -1
    return Moment(count=sign * int(count.source), unit=_UNITS[unit.word], edge=edge)


def absolute(query: str, text: str) -> str:
    """Read a date as it is quoted in a query.

    Raises:
        RefusedError: It is none (400).
    """
    match = _ABSOLUTE.match(text)
    if match is None:
        raise unreadable(query)
    year, month, day, hour, minute, second = (
        int(part) if part else first
        for part, first in zip(match.groups(), (0, 1, 1, 0, 0, 0), strict=True)
    )
    try:
        when = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise unreadable(query) from error
    return _written(when)


def normalized(text: str) -> str:
    """Return a date of an item's field as the server's own moments are written."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    return _written(when if when.tzinfo is not None else when.replace(tzinfo=UTC))


def _written(when: datetime) -> str:
    """Write a moment of any year as items write theirs."""
    plain = when.astimezone(UTC).replace(tzinfo=None)
    return plain.isoformat(timespec="milliseconds")


def _moved(now: datetime, count: int, unit: str) -> datetime:
    if unit in _SPANS:
        return now + timedelta(**{_SPANS[unit]: count})
    if unit == "wd":
        return _weekdays(now, count)
    months = now.year * 12 + now.month - 1 + count * _MONTHS[unit]
    year, month = months // 12, months % 12 + 1
    last = calendar.monthrange(year, month)[1]
    return now.replace(year=year, month=month, day=min(now.day, last))


def _weekdays(now: datetime, count: int) -> datetime:
    """Step over so many days from Monday to Friday."""
    step = 1 if count > 0 else -1
    weeks, rest = divmod(abs(count), 5)
    now += timedelta(weeks=step * weeks)
    while rest:
        now += timedelta(days=step)
        rest -= now.weekday() < 5
    return now


def _cut(when: datetime, unit: str, edge: str) -> datetime:
    """Cut to the first or the last day of a unit, at midnight."""
    if not edge:
        return when
    day = when.replace(hour=0, minute=0, second=0, microsecond=0)
    last = edge == "END"
    if unit == "w":
        return day + timedelta(days=(6 if last else 0) - day.weekday())
    if unit == "m":
        end = calendar.monthrange(day.year, day.month)[1]
        return day.replace(day=end if last else 1)
    if unit == "y":
        return day.replace(month=12 if last else 1, day=31 if last else 1)
    return day
