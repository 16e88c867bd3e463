"""Rules of schedules as old servers hold them, and as the newest writes them, are one to xfer."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from bundle.kinds.deployment_schedules import set_schedules
from bundle.kinds.protocols import Made
from bundle.kinds.schedules import portable_schedule, with_phase
from support.one_kind import Sent

normalized = pytest.importorskip("prefect._internal.schemas.validators").normalize_rrule_string

NOW = dt.datetime(2026, 11, 24, 12, 34, 56, tzinfo=dt.UTC)
ID = "11111111-1111-4111-8111-111111111111"

COUNTS = st.sampled_from(["", ";COUNT=5", ";COUNT=99999999"])
PARTS = st.sampled_from(["", ";BYHOUR=3", ";BYDAY=MO,WE", ";WKST=SU", ";UNTIL=20300101T000000"])
FREQUENCIES = st.sampled_from(["SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY"])
BEGINNINGS = st.sampled_from(["", "", "DTSTART:20200101T000000\n", "DTSTART:20251231T235930\n"])


@st.composite
def rules(draw: st.DrawFn) -> str:
    """A rule, or a set of rules, with or without a beginning, in either case of letters."""
    count = draw(COUNTS)
    interval = draw(st.integers(1, 5000))
    text = f"FREQ={draw(FREQUENCIES)};INTERVAL={interval}{count}{'' if count else draw(PARTS)}"
    exception = draw(st.sampled_from(["", "", "\nEXRULE:FREQ=DAILY;BYHOUR=3", "\nEXDATE:20261125T120000"]))
    prefix = "RRULE:" if exception or draw(st.booleans()) else ""
    rule = draw(BEGINNINGS) + prefix + text + exception
    return rule if draw(st.booleans()) or "DTSTART" in rule else rule.lower()


def schedule(rule: str) -> dict[str, Any]:
    return {"id": ID, "active": True, "schedule": {"rrule": rule, "timezone": "UTC"}}


@settings(max_examples=500)
@given(rule=rules(), later=st.integers(0, 10_000_000))
def test_what_a_server_adds_to_a_rule_is_no_difference(rule: str, later: int) -> None:
    """Whatever beginning the newest server writes, and whenever, the rule compares equal to what was sent."""
    sent = portable_schedule(schedule(rule))
    stored = normalized(sent["schedule"]["rrule"], now=NOW + dt.timedelta(seconds=later), timezone="UTC")
    held = schedule(stored)
    assert with_phase(portable_schedule(held)) == with_phase(sent)
    to = Sent()
    asyncio.run(set_schedules(to, Made(ID, {"schedules": [held]}), [sent]))
    assert to.requests == []


@settings(max_examples=150, deadline=None)
@given(
    frequency=st.sampled_from(["MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY"]),
    interval=st.integers(1, 100),
    exception=st.sampled_from(["", "\nEXRULE:FREQ=DAILY;BYHOUR=3"]),
    beginning=st.sampled_from(["", "DTSTART:20250707T010203\n"]),
)
def test_a_rule_runs_when_it_ran(frequency: str, interval: int, exception: str, beginning: str) -> None:
    """The next 20 runs of what arrives at the newest server are those that the old one, without a beginning, had."""
    interval *= 60 if frequency == "MINUTELY" else 1
    rule = f"{beginning}RRULE:FREQ={frequency};INTERVAL={interval}{exception}"
    arrived = normalized(portable_schedule(schedule(rule))["schedule"]["rrule"], now=NOW, timezone="UTC")
    assert runs(arrived) == runs(rule)


def runs(rule: str) -> list[dt.datetime]:
    begun = dt.datetime(2020, 1, 1)  # noqa: DTZ001 - wall time, as servers reckon
    return list(rrulestr(rule, dtstart=begun).xafter(NOW.replace(tzinfo=None), count=20))
