"""bundle.schedules: when schedules fire next, compared with what Prefect itself reckons."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from typing import Any

import pytest

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
    """Cron, interval and RRULE schedules fire when Prefect says, in every zone, around changes of the clock too."""
    asked = [({**shape, "timezone": zone}, moment) for shape in SHAPES for zone in ZONES for moment in MOMENTS]
    done = subprocess.run(
        [sys.executable, "-c", PREFECT], input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)
    wrong = [
        (schedule, moment, mine, theirs)
        for (schedule, moment), theirs in zip(asked, told, strict=True)
        if (mine := ours(schedule, moment)) != theirs
    ]
    assert wrong == []


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
