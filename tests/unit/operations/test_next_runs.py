"""bundle.schedules: when schedules fire next, compared with what Prefect itself reckons."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundle.operations.next_runs import next_times, words

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu")
# In winter, and hours before clocks change in Berlin, in both directions.
MOMENTS = ("2026-11-23T07:30:00+00:00", "2026-03-28T20:00:00+00:00", "2026-10-24T20:00:30.5+00:00")
SHAPES: tuple[dict[str, Any], ...] = (
    {"cron": "0 7 * * *"},
    {"cron": "*/20 * * * 1-5"},
    {"cron": "@daily"},
    {"cron": "15 4 29 2 *"},
    {"cron": "0 12 13 * 5", "day_or": False},
    {"cron": "0 12 13 * 5", "day_or": True},
    {"cron": "0 0 l * *"},
    {"interval": 90.5, "anchor_date": "2020-01-01T00:00:00Z"},
    {"interval": 3600.0, "anchor_date": "2026-11-23T07:10:00+02:00"},
    {"interval": 86400.0, "anchor_date": "2025-01-01T09:00:00Z"},
    {"interval": 604800.0, "anchor_date": "2027-01-01T09:00:00Z"},
    {"rrule": "FREQ=DAILY"},
    {"rrule": "DTSTART:20200101T083000\nRRULE:FREQ=WEEKLY;BYDAY=MO,TH"},
    {"rrule": "DTSTART:20200101T083000Z\nRRULE:FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20300101T000000Z"},
    {"rrule": "DTSTART:20200101T010000\nRRULE:FREQ=DAILY\nEXDATE:20261124T010000"},
    {"rrule": "DTSTART:20200101T001000\nRRULE:FREQ=HOURLY;INTERVAL=5"},
)
PREFECT = """
import asyncio, datetime, json, sys
from prefect.server.schemas import schedules
def times(schedule, moment):
    kind = next(each for each in ("Cron", "Interval", "RRule") if each.lower() in schedule)
    made = getattr(schedules, kind + "Schedule").model_validate(schedule)
    found = asyncio.run(made.get_dates(3, datetime.datetime.fromisoformat(moment)))
    return [each.astimezone(datetime.UTC).isoformat() for each in found]
json.dump([times(*each) for each in json.load(sys.stdin)], sys.stdout)
"""


def ours(schedule: dict[str, Any], moment: str) -> list[str] | None:
    found = next_times(schedule, dt.datetime.fromisoformat(moment), 3)
    return None if found is None else [each.astimezone(dt.UTC).isoformat() for each in found]


def test_next_times_are_those_of_prefect() -> None:
    """Schedules fire when Prefect says, in every zone; where its versions differ, nothing is told."""
    asked = [({**shape, "timezone": zone}, moment) for shape in SHAPES for zone in ZONES for moment in MOMENTS]
    done = subprocess.run(
        [sys.executable, "-c", PREFECT], input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)
    wrong = [
        (schedule, moment, mine, theirs)
        for (schedule, moment), theirs in zip(asked, told, strict=True)
        if (mine := ours(schedule, moment)) not in (None, theirs)
    ]
    assert wrong == []
    # What Prefect 3.9 reckons otherwise than 3.8, about the days on which clocks change; all other times are told.
    untold = [(schedule["interval"], moment[:10]) for schedule, moment in asked if ours(schedule, moment) is None]
    assert sorted(untold) == [
        (86400.0, "2026-03-28"),
        (86400.0, "2026-10-24"),
        (86400.0, "2026-10-24"),
        (604800.0, "2026-03-28"),
        (604800.0, "2026-03-28"),
        (604800.0, "2026-10-24"),
    ]


@pytest.mark.parametrize(
    "schedule",
    [
        {},
        {"cron": "0 0 30 2 *"},
        {"cron": "nonsense"},
        {"cron": "0 7 * * *", "timezone": "Mars/Olympus"},
        {"cron": "0 7 * * *", "timezone": 7},
        {"interval": "P1M", "anchor_date": "2020-01-01T00:00:00Z"},
        {"interval": 0, "anchor_date": "2020-01-01T00:00:00Z"},
        {"interval": 1e300, "anchor_date": "2020-01-01T00:00:00Z"},
        {"interval": 60},
        {"interval": 86400, "anchor_date": "2026-07-01T09:00:00Z", "timezone": "Europe/Berlin"},
        {"interval": 86400, "anchor_date": "1826-07-01T09:00:00Z", "timezone": "UTC"},
        {"rrule": "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"},
        {"rrule": "FREQ=MINUTELY;COUNT=5"},
        {"rrule": "nonsense"},
    ],
)
def test_what_cannot_be_told_is_not_told(schedule: dict[str, Any]) -> None:
    """A schedule that nobody can reckon, or not in short time, has no next times."""
    assert next_times(schedule, dt.datetime(2026, 11, 23, tzinfo=dt.UTC), 3) is None


def test_a_schedule_that_has_ended_has_no_next_times() -> None:
    """A rule whose last time is over fires no more."""
    assert next_times({"rrule": "FREQ=DAILY;COUNT=5"}, dt.datetime(2026, 11, 23, tzinfo=dt.UTC), 3) == ()


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        ({"cron": "0 7 * * *", "timezone": "Europe/Berlin"}, "cron 0 7 * * * (Europe/Berlin)"),
        ({"interval": 5400.0, "timezone": "UTC"}, "every 1:30:00"),
        ({"interval": "P1M"}, "every P1M"),
        ({"rrule": "FREQ=DAILY;" + "X" * 80}, "rrule FREQ=DAILY;" + "X" * 63 + "…"),
        ({}, "schedule "),
    ],
)
def test_schedules_in_words(schedule: dict[str, Any], text: str) -> None:
    """A schedule has one short line."""
    assert words(schedule) == text


# What is made to take for ever

MOST_CALLS = 400_000


@contextmanager
def counted() -> Iterator[None]:
    """Ends what makes more calls than a second of any machine takes."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}
        if calls > MOST_CALLS:
            raise AssertionError("too many steps")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(before)


def numbers(low: int, high: int) -> st.SearchStrategy[str]:
    """A list of numbers: one, some, or all there are."""
    some = st.lists(st.integers(low, high), min_size=1, max_size=4)
    return st.one_of(some, st.just(list(range(low, high)))).map(lambda found: ",".join(map(str, found)))


PARTS = st.fixed_dictionaries(
    {"FREQ": st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"])},
    optional={
        "INTERVAL": st.sampled_from(["0", "-1", "00", "1", "2", "7", "999999999", "9" * 40]),
        "COUNT": st.sampled_from(["0", "1", "5", "999999999", "9" * 40]),
        "UNTIL": st.sampled_from(["20260101", "99991231T235959", "00010101"]),
        "BYMONTH": st.sampled_from(["2", "4,6", "13"]),
        "BYMONTHDAY": st.sampled_from(["30", "31", "-31", "32"]),
        "BYDAY": st.sampled_from(["MO", "6MO", "-6SU", "MO,TU,WE,TH,FR"]),
        "BYYEARDAY": st.sampled_from(["366", "-366", "1"]),
        "BYWEEKNO": st.sampled_from(["53", "54"]),
        "BYEASTER": st.sampled_from(["0", "9999"]),
        "BYSETPOS": numbers(1, 366),
        "BYHOUR": numbers(0, 24),
        "BYMINUTE": numbers(0, 60),
        "BYSECOND": numbers(0, 60),
    },
).map(lambda parts: ";".join(f"{name}={value}" for name, value in parts.items()))
BEGINNINGS = st.sampled_from(
    ["", "DTSTART:00010101T000000\n", "DTSTART:20200101T000000\n", "DTSTART:99990101T000000\n"]
)
ENDS = st.sampled_from(["", "\nEXDATE:20270101T000000", "\nEXRULE:FREQ=DAILY", "\nRRULE:FREQ=DAILY;INTERVAL=0"])
RULES = st.builds(lambda begin, rule, end: {"rrule": f"{begin}RRULE:{rule}{end}"}, BEGINNINGS, PARTS, ENDS)
CRONS = st.tuples(
    *(st.sampled_from(each) for each in (["*", "0"], ["*", "0"], ["31", "30", "29", "*"], ["2", "4"], ["*", "mon#5"]))
).map(lambda fields: {"cron": " ".join(fields), "day_or": False})
INTERVALS = st.builds(
    lambda seconds, anchor: {"interval": seconds, "anchor_date": anchor},
    st.floats(0, 1e12),
    st.sampled_from(["0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z", "2026-01-01T00:00:00Z"]),
)


@settings(max_examples=150, derandomize=True)
@given(st.one_of(RULES, RULES, CRONS, INTERVALS))
def test_no_schedule_takes_long(schedule: dict[str, Any]) -> None:
    """A rule that never matches, never ends, begins in the year 1 or fires each second takes few steps."""
    with counted():
        next_times(schedule, dt.datetime(2026, 11, 23, tzinfo=dt.UTC), 3)


def test_what_is_far_or_never_is_not_said_to_have_ended() -> None:
    """None means that it is not known; only a rule that is over has no times."""
    now = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    never = "FREQ=DAILY;COUNT=5;BYMONTH=2;BYMONTHDAY=30"
    assert next_times({"rrule": never}, now, 3) is None
    assert next_times({"rrule": "FREQ=DAILY;UNTIL=20260101"}, now, 3) == ()
    leap = next_times({"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"}, now, 2)
    assert leap is not None
    assert [each.year for each in leap][:2] == [2028, 2032]
