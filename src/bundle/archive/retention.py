"""Which snapshots are kept: restic's rules, and four of ours that make them hard to bend.

Pure: the instant is an argument. The rules of restic (0.17 and newer; docs/archive.md): snapshots are looked at from
the newest to the oldest; each rule keeps the newest of each of its last periods that have one, and the oldest of all
while its count is not used up; ``within`` counts back from the newest one. One rule is enough to be kept.

What differs, since an archive must survive who writes into it:

1. Only complete snapshots take a place; the newest complete one always stays, and incomplete ones newer than it.
2. A snapshot of the future is looked at by no rule, and stays.
3. One that lost more than a share of its predecessor's resources takes no place, and stays, until it is pinned.
4. Pinned ones stay, and take the place they would have anyway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Literal

import msgspec

from bundle.archive.periods import PERIOD_OF, Duration, Period

UNLIMITED = -1

Rule = Literal["last", "hourly", "daily", "weekly", "monthly", "yearly"]
Reason = str

RETENTION_REASONS: Mapping[Reason, str] = {
    "last": "one of the last ones",
    "hourly": "the newest of its hour",
    "daily": "the newest of its day",
    "weekly": "the newest of its week",
    "monthly": "the newest of its month",
    "yearly": "the newest of its year",
    "oldest": "the oldest one, while a count is not used up",
    "within": "newer than the given time before the newest one",
    "pinned": "pinned",
    "newest-complete": "the newest complete one, which always stays",
    "incomplete": "incomplete; it takes no place, and goes as soon as a complete one is newer",
    "future": "from the future by the store's clock; no rule looks at it",
    "shrunk": "lost too many of its predecessor's resources; it takes no place until it is pinned",
    "not-kept": "no rule keeps it",
}
CAUSES = frozenset({"newest-complete", "incomplete", "future", "shrunk"})
"""Why something is kept that no rule of the user keeps: the account of ``forget`` is exit code 3 then."""


class Within(msgspec.Struct, frozen=True):
    """Keep what is not older than ``duration`` before the newest: all of it, or the newest of each period."""

    duration: Duration
    rule: Rule = "last"


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What to keep: a count for each rule (``UNLIMITED`` for all), and what is within a time."""

    counts: Mapping[Rule, int] = {}
    within: tuple[Within, ...] = ()
    max_shrink: float = 0.5

    @property
    def is_empty(self) -> bool:
        """Whether no rule keeps anything."""
        return not self.within and not any(self.counts.values())


class Snapshot(msgspec.Struct, frozen=True):
    """What retention looks at: ``time`` by the store's clock."""

    id: str
    time: datetime
    resources: int = 1
    is_complete: bool = True
    is_pinned: bool = False


class Decision(msgspec.Struct, frozen=True):
    """Whether a snapshot stays, and every reason for it."""

    id: str
    is_kept: bool
    reasons: tuple[Reason, ...]


def decide(snapshots: Sequence[Snapshot], policy: Policy, *, now: datetime, zone: tzinfo) -> list[Decision]:
    """What becomes of each, newest first. Nothing is removed by an empty policy.

    Raises:
        ValueError: the policy is empty.
    """
    if policy.is_empty:
        raise ValueError("an empty policy would remove everything")
    ordered = sorted(snapshots, key=lambda each: (each.time, each.id), reverse=True)
    shrunk = _shrunk([each for each in reversed(ordered) if each.is_complete and each.time <= now], policy.max_shrink)
    placed = [each for each in ordered if each.is_complete and each.time <= now and each.id not in shrunk]
    kept = _by_rules(placed, policy, zone)
    newest = next((each for each in ordered if each.is_complete and each.time <= now), None)
    decisions = []
    for each in ordered:
        reasons = (*kept.get(each.id, ()), *_causes(each, newest, now=now, is_shrunk=each.id in shrunk))
        is_kept = bool(reasons)
        if not is_kept:
            reasons = ("not-kept",) if each.is_complete else ("incomplete",)
        decisions.append(Decision(each.id, is_kept, reasons))
    return decisions


def _causes(each: Snapshot, newest: Snapshot | None, *, now: datetime, is_shrunk: bool) -> tuple[Reason, ...]:
    found = {
        "pinned": each.is_pinned,
        "future": each.time > now,
        "shrunk": is_shrunk,
        "incomplete": not each.is_complete and (newest is None or each.time > newest.time),
        "newest-complete": each is newest,
    }
    return tuple(reason for reason, holds in found.items() if holds)


def _shrunk(oldest_first: Sequence[Snapshot], most: float) -> set[str]:
    """The snapshots that lost too much, each compared with the last one before that did not, or was pinned."""
    found: set[str] = set()
    accepted: Snapshot | None = None
    for each in oldest_first:
        if accepted is None or each.is_pinned or each.resources >= accepted.resources * (1 - most):
            accepted = each
        else:
            found.add(each.id)
    return found


def _by_rules(newest_first: Sequence[Snapshot], policy: Policy, zone: tzinfo) -> dict[str, tuple[Reason, ...]]:
    kept: dict[str, list[Reason]] = {each.id: [] for each in newest_first}
    for rule, count in policy.counts.items():
        for id_, reason in _last_periods(newest_first, rule, count, zone):
            kept[id_].append(reason)
    for within in policy.within:
        for id_ in _within(newest_first, within, zone):
            kept[id_].append("within")
    return {id_: tuple(dict.fromkeys(reasons)) for id_, reasons in kept.items() if reasons}


def _last_periods(newest_first: Sequence[Snapshot], rule: Rule, count: int, zone: tzinfo) -> list[tuple[str, Reason]]:
    found: list[tuple[str, Reason]] = []
    last: Period | None = None
    for number, each in enumerate(newest_first):
        if count != UNLIMITED and len(found) >= count:
            break
        period = _period(each, rule, number, zone)
        if period != last:
            found.append((each.id, rule))
        elif number == len(newest_first) - 1:
            found.append((each.id, "oldest"))
        last = period
    return found


def _within(newest_first: Sequence[Snapshot], within: Within, zone: tzinfo) -> list[str]:
    if not newest_first:
        return []
    since = within.duration.before(newest_first[0].time, zone)
    found = []
    last: Period | None = None
    for number, each in enumerate(newest_first):
        if each.time <= since:
            break
        period = _period(each, within.rule, number, zone)
        if period != last or number == len(newest_first) - 1:
            found.append(each.id)
        last = period
    return found


def _period(each: Snapshot, rule: Rule, number: int, zone: tzinfo) -> Period:
    return (number,) if rule == "last" else PERIOD_OF[rule](each.time.astimezone(zone))
