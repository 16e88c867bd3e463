"""Schedules of deployments, one spelling for all versions; they belong to a deployment and are no kind of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from bundle.kinds.fields import SERVER_OWNED
from bundle.kinds.protocols import Raw
from bundle.model import Body, Json

_NOT_OURS = SERVER_OWNED | {"deployment_id"}
_KNOWN = frozenset({"schedule", "active", "max_scheduled_runs", "parameters", "slug", "max_active_runs", "catchup"})
_DEFAULTS = {"parameters": {}, "catchup": False}

# Where a rule without a beginning begins on every version; since 3.6.26 servers write it out.
_BEGINNING = "DTSTART:20200101T000000\n"
_BEGUN = re.compile(r"DTSTART:([0-9]{8}T[0-9]{6})\n(.*)", re.DOTALL)
_FREQUENT = re.compile(r"FREQ=(SECOND|MINUTE)LY", re.IGNORECASE)
_INTERVAL = re.compile(r"INTERVAL=([1-9][0-9]{0,8})\b", re.IGNORECASE)


def portable_schedule(raw: Raw) -> Body:
    """A schedule without what the server owns and what it does anyway."""
    kept = {name: value for name, value in raw.items() if name not in _NOT_OURS and value is not None}
    kept = {name: value for name, value in kept.items() if _DEFAULTS.get(name) != value}
    return kept | {"schedule": _timing(raw.get("schedule") or {})}


def unknown_fields(schedule: Body) -> Iterator[str]:
    """Fields that this version of xfer does not know."""
    return (name for name in schedule if name not in _KNOWN)


def _timing(timing: Json) -> Json:
    """When it runs: instants end in Z, and a rule has its beginning, unless that would burden a server."""
    if "anchor_date" in timing:
        return timing | {"anchor_date": re.sub(r"\+00:00$", "Z", timing["anchor_date"])}
    rule = timing.get("rrule", "")
    is_bare = "rrule" in timing and "DTSTART" not in rule.upper() and _period(rule) is None
    return timing | {"rrule": _BEGINNING + rule} if is_bare else timing


def with_phase(schedule: Body) -> Body:
    """A schedule with its beginning written out, or the phase of a frequent rule in place of it, to compare it.

    Since 3.6.26 a server gives a rule without a beginning the common one. A
    frequent rule gets a recent one of the same phase instead, so that not
    every run since 2020 has to be counted.
    """
    timing = schedule.get("schedule") or {}
    if "rrule" not in timing:
        return schedule
    rule = str(timing["rrule"])
    rule = rule if "DTSTART" in rule.upper() else _BEGINNING + rule
    begun = _BEGUN.fullmatch(rule)
    period = _period(begun[2]) if begun else None
    if begun and period:
        rule = f"{_seconds(begun[1]) % period} {begun[2]}"
    return schedule | {"schedule": timing | {"rrule": rule, "timezone": timing.get("timezone") or "UTC"}}


def _period(rule: str) -> int | None:
    """The seconds between two runs of a frequent rule; None for one that counts its runs, and for a set of rules."""
    frequency = _FREQUENT.search(rule)
    if frequency is None or "COUNT" in rule.upper() or len(rule.split()) > 1:
        return None
    interval = int((_INTERVAL.search(rule) or ("", "1"))[1])
    return interval * (60 if frequency[1].upper() == "MINUTE" else 1)


def _seconds(instant: str) -> int:
    """Seconds since the common beginning; 0 for what is no instant."""
    first, given = (f"{text}+0000" for text in ("20200101T000000", instant))
    try:
        between = datetime.strptime(given, "%Y%m%dT%H%M%S%z") - datetime.strptime(first, "%Y%m%dT%H%M%S%z")
    except ValueError:
        return 0
    return between.days * 86_400 + between.seconds
