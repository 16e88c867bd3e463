"""One spelling of schedules for all versions."""

from __future__ import annotations

from typing import Any

import pytest

from bundle.kinds.schedules import portable_schedule, unknown_fields, with_phase


def test_what_the_server_owns_or_does_anyway_is_left_out() -> None:
    """Ids and times go, nulls and defaults too; whether it is active stays."""
    row = {
        "id": "i",
        "created": "c",
        "deployment_id": "d",
        "active": False,
        "schedule": {"cron": "0 7 * * *"},
        "slug": None,
        "parameters": {},
        "catchup": False,
    }
    assert portable_schedule(row) == {"active": False, "schedule": {"cron": "0 7 * * *"}}


def test_an_anchor_ends_in_z() -> None:
    """Some versions write the offset of UTC as +00:00; other offsets stay."""
    found = [
        portable_schedule({"schedule": {"interval": 60.0, "anchor_date": each}})["schedule"]["anchor_date"]
        for each in ("2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00+02:00")
    ]
    assert found == ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00+02:00"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=DAILY", "DTSTART:20200101T000000\nFREQ=DAILY"),
        ("DTSTART:20240101T000000\nFREQ=DAILY", "DTSTART:20240101T000000\nFREQ=DAILY"),
        ("FREQ=MINUTELY;INTERVAL=5", "FREQ=MINUTELY;INTERVAL=5"),
        ("freq=minutely;count=5", "DTSTART:20200101T000000\nfreq=minutely;count=5"),
        ("RRULE:FREQ=MINUTELY\nEXRULE:FREQ=DAILY", "DTSTART:20200101T000000\nRRULE:FREQ=MINUTELY\nEXRULE:FREQ=DAILY"),
    ],
)
def test_a_rule_says_when_it_begins(rule: str, expected: str) -> None:
    """One without a beginning gets the one that servers assume, unless all its runs since then would be counted."""
    assert portable_schedule({"schedule": {"rrule": rule}})["schedule"]["rrule"] == expected


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("FREQ=MINUTELY;INTERVAL=5", "DTSTART:20200101T000000\nFREQ=MINUTELY;INTERVAL=5", True),
        ("FREQ=MINUTELY;INTERVAL=5", "DTSTART:20260301T001500\nFREQ=MINUTELY;INTERVAL=5", True),
        ("FREQ=MINUTELY;INTERVAL=5", "DTSTART:20260301T001600\nFREQ=MINUTELY;INTERVAL=5", False),
        ("FREQ=MINUTELY;INTERVAL=5;COUNT=3", "DTSTART:20260301T001500\nFREQ=MINUTELY;INTERVAL=5;COUNT=3", False),
        ("DTSTART:20200101T000000\nFREQ=DAILY", "DTSTART:20260301T000000\nFREQ=DAILY", False),
        ("FREQ=MINUTELY;COUNT=3", "DTSTART:20200101T000000\nFREQ=MINUTELY;COUNT=3", True),
        (
            "RRULE:FREQ=MINUTELY\nEXRULE:FREQ=DAILY",
            "DTSTART:20200101T000000\nRRULE:FREQ=MINUTELY\nEXRULE:FREQ=DAILY",
            True,
        ),
    ],
)
def test_frequent_rules_of_one_phase_are_equal(one: str, other: str, *, is_same: bool) -> None:
    """Servers give a frequent rule a recent beginning of the same phase; one that counts its runs is another."""
    found = [with_phase({"schedule": {"rrule": each}}) for each in (one, other)]
    assert (found[0] == found[1]) is is_same


def test_what_is_no_instant_is_no_failure() -> None:
    """A beginning that no calendar has is compared as the common one."""
    rule = "DTSTART:20261399T000000\nFREQ=SECONDLY"
    assert with_phase({"schedule": {"rrule": rule}}) == {"schedule": {"rrule": "0 FREQ=SECONDLY", "timezone": "UTC"}}


def test_fields_of_later_versions_are_named() -> None:
    """What this version of xfer does not know is carried, and said."""
    schedule: dict[str, Any] = {"schedule": {}, "active": True, "drone": 1}
    assert list(unknown_fields(schedule)) == ["drone"]
