"""Points in time as OpenSSH writes them: ``20261125``, ``202611251530``, ``20261125153000Z``.

Without ``Z`` or ``UTC`` at the end they are in the time zone of this machine, and, as in OpenSSH, in its standard time:
summer time is not looked at.
"""

from __future__ import annotations

import calendar
import re
import time
from datetime import UTC, datetime

from bundle.trust.wire import MalformedError

# The first second that Python has no date for; certificates may be valid for longer.
_END = 253_402_300_800
_FORM = re.compile(r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(Z|UTC)?", re.ASCII | re.IGNORECASE)


def read(text: str) -> int:
    """The seconds since 1970 of a date or a time.

    Raises:
        MalformedError: it is none, or not after 1970 began.
    """
    form = _FORM.fullmatch(text)
    if form is None:
        raise MalformedError(f"{text!r} is not a time: YYYYMMDD[Z] or YYYYMMDDHHMM[SS][Z]")
    try:
        year, month, day, hour, minute, second = (int(each or 0) for each in form.groups()[:6])
        moment = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the zone is seen to below
    except ValueError as error:
        raise MalformedError(f"{text!r} is not a time that exists") from error
    seconds = _seconds(moment, is_utc=form[7] is not None)
    if seconds <= 0:
        raise MalformedError(f"{text!r} is not after 1970 began")
    return seconds


def _seconds(moment: datetime, *, is_utc: bool) -> int:
    if is_utc:
        return calendar.timegm(moment.timetuple())
    standard_time = 0
    return int(time.mktime((*moment.timetuple()[:8], standard_time)))


def written(seconds: int) -> str:
    """A point in time for people: ``2026-11-25T15:30:00Z``."""
    if seconds >= _END:
        return "the year 10000"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
