"""Periods of time: the hour, day, week, month and year that an instant is in, and durations like ``1y5m7d2h``.

The meaning is restic's (docs/archive.md, "Retention"): natural boundaries in one time zone, ISO weeks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, tzinfo

import msgspec

from bundle.errors import UsageError

Period = tuple[int, ...]
# What a report passes on without looking into it.
Instant = datetime
Zone = tzinfo

PERIOD_OF: Mapping[str, Callable[[datetime], Period]] = {
    "hourly": lambda at: (at.year, at.month, at.day, at.hour),
    "daily": lambda at: (at.year, at.month, at.day),
    # The year of the week, not the calendar's: a week over New Year is one.
    "weekly": lambda at: at.isocalendar()[:2],
    "monthly": lambda at: (at.year, at.month),
    "yearly": lambda at: (at.year,),
}
_DURATION = re.compile(r"(?:(\d{1,4})y)?(?:(\d{1,5})m)?(?:(\d{1,6})d)?(?:(\d{1,7})h)?", re.ASCII)
_MONTHS = 12


class Duration(msgspec.Struct, frozen=True):
    """``1y5m7d2h``: years, months, days and hours."""

    years: int = 0
    months: int = 0
    days: int = 0
    hours: int = 0

    def before(self, instant: datetime, zone: tzinfo) -> datetime:
        """The instant so long before another one, as a calendar in a zone counts.

        A day that a month does not have is counted on: a month before 31 March is 3 March. Before the year 1 is the
        beginning of time.
        """
        at = instant.astimezone(zone)
        months = (at.year - self.years) * _MONTHS + at.month - 1 - self.months
        try:
            first = at.replace(year=months // _MONTHS, month=months % _MONTHS + 1, day=1)
            return first + timedelta(days=at.day - 1 - self.days) - timedelta(hours=self.hours)
        except (ValueError, OverflowError):
            return datetime.min.replace(tzinfo=zone)

    def __str__(self) -> str:
        parts = ((self.years, "y"), (self.months, "m"), (self.days, "d"), (self.hours, "h"))
        return "".join(f"{count}{unit}" for count, unit in parts if count)


def written(instant: Instant, zone: Zone) -> str:
    """ISO 8601 in a zone, to the second."""
    return instant.astimezone(zone).isoformat(timespec="seconds")


def duration(text: str) -> Duration:
    """A duration as restic writes it.

    Raises:
        UsageError: it is none, or nothing at all.
    """
    found = _DURATION.fullmatch(text)
    if found is None or not any(int(each or 0) for each in found.groups()):
        raise UsageError(f"{text!r} is not a duration", hint="like 7d, or 1y5m7d2h: years, months, days and hours")
    return Duration(*(int(each or 0) for each in found.groups()))
