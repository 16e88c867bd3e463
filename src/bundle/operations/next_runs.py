"""When schedules fire next, as Prefect reckons it: cron, interval and RRULE schedules of deployments.

All is reckoned in the wall time of the schedule's time zone, as Prefect's server does. What it would take long to
reckon, what never fires in ten years, or what versions of Prefect take differently, is not given. A server takes rules
that never come to an end; so the steps are bounded before a library takes the first one.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bundle.model import Body, Json

if TYPE_CHECKING:
    from dateutil.rrule import rruleset

_DAY = dt.timedelta(days=1)
_ANCHOR = dt.datetime(2020, 1, 1)  # noqa: DTZ001 - wall time; Prefect's DTSTART where a rule has none
_FREQUENCIES = {
    "HOURLY": dt.timedelta(hours=1),
    "MINUTELY": dt.timedelta(minutes=1),
    "SECONDLY": dt.timedelta(seconds=1),
}
_DAYS = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 28, "YEARLY": 365}
_PART = re.compile(r"(\w+)=([^;\s]*)")
_SHOWN_CHARACTERS = 80
_HORIZON = dt.timedelta(days=3660)  # leap days are at most eight years apart
_MOST_DAYS = 40_000  # steps that are taken one by one from an anchor
_MOST_STEPS = 300_000  # days and times of day that are looked at for one schedule


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
    step = dt.timedelta(seconds=seconds)
    if step <= dt.timedelta():
        raise ValueError("not an interval")
    begin = dt.datetime.fromisoformat(anchor)
    begin = begin.replace(tzinfo=zone) if begin.tzinfo is None else begin.astimezone(zone)
    times = _after_a_jump(begin, step, zone, now)
    return times if step % _DAY else _agreed(times, _day_by_day(begin, step, zone, now))


def _agreed(times: Iterable[dt.datetime], others: Iterable[dt.datetime]) -> Iterator[dt.datetime]:
    """Times on which versions of Prefect agree, which they do unless the clock changed since the anchor.

    Raises:
        ValueError: they do not.
    """
    for one, other in zip(times, others, strict=False):
        if one != other:
            raise ValueError("another time to another version")
        yield one


def _day_by_day(begin: dt.datetime, step: dt.timedelta, zone: ZoneInfo, now: dt.datetime) -> Iterator[dt.datetime]:
    """As from Prefect 3.9 on: whole days in wall time; a time that the clock skips is later from then on."""
    wall, missing = begin.replace(tzinfo=None), (now.replace(tzinfo=None) - begin.replace(tzinfo=None)) // step
    if missing > _MOST_DAYS:
        raise ValueError("too many steps")
    time = _normal(wall + step * min(0, missing), zone)
    while True:
        if time >= now:
            yield time
        time = _normal(time.replace(tzinfo=None) + step, zone)


def _normal(wall: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    return wall.replace(tzinfo=zone).astimezone(dt.UTC).astimezone(zone)


def _after_a_jump(begin: dt.datetime, step: dt.timedelta, zone: ZoneInfo, now: dt.datetime) -> Iterator[dt.datetime]:
    """As before Prefect 3.9: the first jump from the anchor is in real time, then whole days are added in wall time."""
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

    wall, parts = now.replace(tzinfo=None), _parts(text)
    if any(re.fullmatch("[1-9][0-9]{0,8}", each.get("INTERVAL", "1")) is None for each in parts):
        raise ValueError("no step forward")
    if any({"COUNT", "UNTIL"} <= each.keys() for each in parts):
        raise ValueError("two ends, which no RRULE may have")
    if all(each.get("FREQ") not in _FREQUENCIES for each in parts):
        return _days(text, parts, zone, wall)
    rule = rrulestr(text, dtstart=_ANCHOR, ignoretz=True)
    if not isinstance(rule, rrule) or parts[0].keys() - {"FREQ", "INTERVAL", "WKST"}:
        return None
    step = _FREQUENCIES[parts[0]["FREQ"]] * int(parts[0].get("INTERVAL", "1"))
    missing = max(0, -((rule[0] - wall) // step))
    return ((rule[0] + step * number).replace(tzinfo=zone) for number in itertools.count(missing))


def _parts(text: str) -> list[dict[str, str]]:
    """The parts of each rule in a text, as dateutil reads it."""
    return [dict(_PART.findall(line)) for line in text.upper().split() if "FREQ=" in line]


def _days(
    text: str, parts: Sequence[Mapping[str, str]], zone: ZoneInfo, wall: dt.datetime
) -> Iterator[dt.datetime] | None:
    """Times of rules that step by days or more; dateutil looks for them from their beginning on."""
    lines = text.upper().split()
    begins = [line for line in lines if line.startswith("DTSTART")]
    begin = re.search(r":([0-9]{8})", begins[-1])[1] if begins else f"{_ANCHOR:%Y%m%d}"  # type: ignore[index]
    days = max(0, (wall - dt.datetime.strptime(begin, "%Y%m%d")).days) + _HORIZON.days  # noqa: DTZ007 - wall time
    if any(line.startswith("EXRULE") for line in lines) or sum(days * _weight(each) for each in parts) > _MOST_STEPS:
        return None
    return _bounded(_set_of(lines, begins, days), zone, wall)


def _weight(parts: Mapping[str, str]) -> int:
    """About how many steps a day of a rule takes."""
    times, rest = 1, 0
    for name, value in parts.items():
        if name in {"BYHOUR", "BYMINUTE", "BYSECOND", "BYSETPOS"}:
            times *= value.count(",") + 1
        else:
            rest += value.count(",")
    return times * (1 + rest // 16)


def _set_of(lines: Iterable[str], begins: Iterable[str], days: int) -> rruleset:
    """The rules and dates of a text, to be looked through for so many days from their beginning."""
    from dateutil import parser  # noqa: PLC0415 - as croniter
    from dateutil.rrule import rrule, rruleset, rrulestr  # noqa: PLC0415 - as croniter

    found = rruleset()
    for line in lines:
        if "FREQ=" in line:
            rule, each = rrulestr("\n".join([*begins, line]), dtstart=_ANCHOR, ignoretz=True), dict(_PART.findall(line))
            interval = _Steps(each.get("INTERVAL", "1"))
            interval.left = days // (_DAYS[each["FREQ"]] * interval.real) + 2
            if isinstance(rule, rrule):
                found.rrule(rule.replace(interval=interval))
        elif not line.startswith("DTSTART"):
            add = {"RDATE": found.rdate, "EXDATE": found.exdate}[re.split("[:;]", line)[0]]
            for date in line.rpartition(":")[2].split(","):
                add(parser.parse(date, ignoretz=True))
    return found


class _Steps(int):
    """An interval that dateutil can add ``left`` times, since it looks for a match until the year 9999."""

    left = 0

    def __radd__(self, other: int) -> int:
        return other + self * 1

    def __mul__(self, other: int) -> int:
        if self.left <= 0:
            raise ArithmeticError("no match in time")
        self.left -= 1
        return self.real * other


def _bounded(rule: rruleset, zone: ZoneInfo, wall: dt.datetime) -> Iterator[dt.datetime]:
    """The times from now on, as far as they are found.

    Raises:
        ArithmeticError: there is none in the years that are looked through.
    """
    number = 0
    try:
        for number, time in enumerate(rule.xafter(wall, inc=True), 1):  # noqa: B007 - read below
            yield time.replace(tzinfo=zone)
    except ArithmeticError:
        if not number:
            raise
