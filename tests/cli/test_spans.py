from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_codebeamer.cli.spans import lock_settings
from airflow_codebeamer.errors import ConfigurationError
from airflow_codebeamer.spans import span, written


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1d", 86400),
        ("1h30m", 5400),
        ("20ms", 0.02),
        ("1.5s", 1.5),
        (" 5 M ", 300),
        ("0", 0),
    ],
)
def test_a_span_is_read(text: str, seconds: float) -> None:
    assert span(text, option="--lease") == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5m later", "5 weeks", "1,5s"])
def test_what_is_no_span_is_refused_by_the_options_name(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--lease: write a time like"):
        span(text, option="--lease")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.2, "1s"), (90, "1m30s"), (3600, "1h"), (90061, "1d1h")],
)
def test_a_span_is_written_in_two_units(seconds: float, text: str) -> None:
    assert written(seconds) == text


def test_timing_changes_what_it_names() -> None:
    settings = lock_settings("ttl=6s, beat=1s,margin=1s")
    assert settings.ttl == timedelta(seconds=6)
    assert settings.beat == timedelta(seconds=1)
    assert settings.bridge == timedelta(minutes=30)


@pytest.mark.parametrize("text", ["tll=6s", "ttl", "ttl=6", "ttl=6s", "on_floor=1s"])
def test_a_timing_that_is_wrong_or_unsafe_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        lock_settings(text)
