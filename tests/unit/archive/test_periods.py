"""Durations and the periods of time."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.archive.periods import PERIOD_OF, Duration, duration
from bundle.errors import UsageError

NUMBERS = st.integers(0, 9999)


@pytest.mark.parametrize("text", ["", "0d", "7", "d", "7w", "1d1y", "-1d", "1.5d", " 1d", "1d ", "\u0661d"])
def test_what_is_no_duration_is_misuse(text: str) -> None:
    """Units are y, m, d and h, in this order, and nothing at all is no duration."""
    with pytest.raises(UsageError):
        duration(text)


@given(st.builds(Duration, NUMBERS, NUMBERS, NUMBERS, NUMBERS).filter(lambda each: each != Duration()))
def test_a_duration_is_written_as_it_is_read(given_: Duration) -> None:
    """Printer and parser are inverse."""
    assert duration(str(given_)) == given_


@pytest.mark.parametrize(
    ("instant", "text", "expected"),
    [
        ("2026-03-31T12:00", "1m", "2026-03-03T12:00"),
        ("2024-02-29T00:00", "1y", "2023-03-01T00:00"),
        ("2026-01-15T08:30", "1m", "2025-12-15T08:30"),
        ("2026-01-15T08:30", "1y5m7d2h", "2024-08-08T06:30"),
        ("2026-01-15T08:30", "9999y", "0001-01-01T00:00"),
    ],
)
def test_a_month_ago_is_what_a_calendar_says(instant: str, text: str, expected: str) -> None:
    """Days that a month lacks are counted on, as Go's ``AddDate`` does, and restic with it."""
    at = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    assert duration(text).before(at, UTC) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_a_week_over_new_year_is_one_week() -> None:
    """The ISO week and its own year, so that 31 December and 1 January share it."""
    weekly = PERIOD_OF["weekly"]
    assert weekly(datetime(2024, 12, 31, tzinfo=UTC)) == weekly(datetime(2025, 1, 1, tzinfo=UTC)) == (2025, 1)


def test_days_begin_where_the_zone_says() -> None:
    """The same instant is another day elsewhere."""
    at = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
    assert PERIOD_OF["daily"](at.astimezone(ZoneInfo("Europe/Berlin"))) == (2026, 11, 25)
