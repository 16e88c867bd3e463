"""When schedules fire next, as Prefect reckons it: cron, interval and RRULE schedules of deployments.

All is reckoned in the wall time of the schedule's time zone, as Prefect's server does. What it would take long to
reckon, or what only some versions of Prefect take, is not given.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from bundle.model import Body, Json

_ANCHOR = dt.datetime(2020, 1, 1)  # noqa: DTZ001 - wall time; Prefect's DTSTART where a rule has none
_FREQUENCIES = {
    "HOURLY": dt.timedelta(hours=1),
    "MINUTELY": dt.timedelta(minutes=1),
    "SECONDLY": dt.timedelta(seconds=1),
}
_SHOWN_CHARACTERS = 80


def next_times(schedule: Body, now: dt.datetime, count: int) -> tuple[dt.datetime, ...] | None:
    """The next times at which a schedule (``{"cron": …}`` and the like) fires; None where that is not known.

    Args:
        schedule: as the API has it, ``schedules[].schedule`` of a deployment.
        now: with a time zone.
        count: how many times are asked for; there may be fewer.
    """
    try:
        zone = ZoneInfo(schedule.get("timezone") or "UTC")
        times = _times(schedule, zone, now.astimezone(zone))
        return None if times is None else tuple(itertools.islice(times, count))
    except (ValueError, LookupError, TypeError, ArithmeticError, AttributeError):
        return None


def words(schedule: Body) -> str:
    """A schedule in one line: ``cron 0 7 * * * (Europe/Berlin)``."""
    zone = schedule.get("timezone") or "UTC"
    name = next((each for each in ("cron", "interval", "rrule") if each in schedule), "schedule")
    text = _period(schedule["interval"]) if name == "interval" else f"{name} {schedule.get(name, '')}"
    shown = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
    return shown if zone == "UTC" else f"{shown} ({zone})"


def _period(seconds: Json) -> str:
    is_number = isinstance(seconds, int | float) and abs(seconds) < dt.timedelta.max.total_seconds()
    return f"every {dt.timedelta(seconds=seconds) if is_number else seconds}"


def _times(schedule: Body, zone: ZoneInfo, now: dt.datetime) -> Iterator[dt.datetime] | None:
    if "cron" in schedule:
        return _cron(str(schedule["cron"]), zone, now, day_or=schedule.get("day_or", True))
    if "interval" in schedule:
        return _intervals(float(schedule["interval"]), str(schedule["anchor_date"]), zone, now)
    return _rule(str(schedule["rrule"]), zone, now)


def _cron(text: str, zone: ZoneInfo, now: dt.datetime, *, day_or: bool) -> Iterator[dt.datetime]:
    # Only who asks for times needs it.
    from croniter import croniter  # noqa: PLC0415

    found = croniter(text, now.replace(tzinfo=None), day_or=day_or)
    while True:
        yield found.get_next(dt.datetime).replace(tzinfo=zone)


def _intervals(seconds: float, anchor: str, zone: ZoneInfo, now: dt.datetime) -> Iterator[dt.datetime]:
    """From the anchor on in steps; whole days are added in wall time, and the first jump is in real time."""
    step = dt.timedelta(seconds=seconds)
    if step <= dt.timedelta():
        raise ValueError("not an interval")
    begin = dt.datetime.fromisoformat(anchor)
    begin = begin.replace(tzinfo=zone) if begin.tzinfo is None else begin.astimezone(zone)
    # Times of one zone would be subtracted as if its clock never changed.
    steps = int((now.astimezone(dt.UTC) - begin.astimezone(dt.UTC)) / step)
    time = _later(begin, step * steps, zone)
    while True:
        if time >= now:
            yield time
        time = (time.replace(tzinfo=None) + step).replace(tzinfo=zone) if step.days else _later(time, step, zone)


def _later(time: dt.datetime, by: dt.timedelta, zone: ZoneInfo) -> dt.datetime:
    return (time.astimezone(dt.UTC) + by).astimezone(zone)


def _rule(text: str, zone: ZoneInfo, now: dt.datetime) -> Iterator[dt.datetime] | None:
    """Times of an RRULE. Rules that step by hours or less are reckoned only where that is plain arithmetic."""
    from dateutil.rrule import rrule, rrulestr  # noqa: PLC0415 - as croniter

    rule, wall = rrulestr(text, dtstart=_ANCHOR, ignoretz=True), now.replace(tzinfo=None)
    if not set(_FREQUENCIES).intersection(re.findall(r"FREQ=(\w+)", text.upper())):
        return (time.replace(tzinfo=zone) for time in rule.xafter(wall, inc=True))
    parts = dict(re.findall(r"(\w+)=([^;\s]*)", text.upper().rpartition("RRULE:")[2]))
    if not isinstance(rule, rrule) or parts.keys() - {"FREQ", "INTERVAL", "WKST"}:
        return None
    step = _FREQUENCIES[parts["FREQ"]] * int(parts.get("INTERVAL", "1"))
    missing = max(0, -((rule[0] - wall) // step))
    return ((rule[0] + step * number).replace(tzinfo=zone) for number in itertools.count(missing))
