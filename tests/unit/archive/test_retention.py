"""What is kept, by rule and in spite of rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.archive.periods import PERIOD_OF, Duration
from bundle.archive.retention import UNLIMITED, Decision, Policy, Rule, Snapshot, Within, decide

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
RULES: tuple[Rule, ...] = ("last", "hourly", "daily", "weekly", "monthly", "yearly")


def at(text: str, **changes: object) -> Snapshot:
    """A complete snapshot of 100 resources, called like its time."""
    plain = Snapshot(text, datetime.fromisoformat(text).replace(tzinfo=UTC), 100)
    return msgspec.structs.replace(plain, **changes)


def kept(snapshots: Sequence[Snapshot], policy: Policy) -> dict[str, tuple[str, ...]]:
    """The reasons for those that stay."""
    return {each.id: each.reasons for each in decide(snapshots, policy, now=NOW, zone=UTC) if each.is_kept}


DAYS = [at(f"2026-11-{day:02}T{hour}:00") for day in range(1, 25) for hour in ("06", "18")]


def test_the_newest_of_each_of_the_last_days_stays() -> None:
    """Of two a day the later one."""
    assert kept(DAYS, Policy(counts={"daily": 2})) == {
        "2026-11-24T18:00": ("daily", "newest-complete"),
        "2026-11-23T18:00": ("daily",),
    }


def test_only_periods_with_a_snapshot_count() -> None:
    """Seven days of snapshots, however far apart they are."""
    sparse = [at("2020-01-01T00:00"), at("2023-05-05T00:00"), at("2026-11-24T00:00")]
    assert set(kept(sparse, Policy(counts={"daily": 7}))) == {each.id for each in sparse}


def test_the_oldest_fills_a_count_that_is_not_used_up() -> None:
    """It extends the history as far as it goes, although its day is taken."""
    two = [at("2026-11-24T06:00"), at("2026-11-24T18:00")]
    assert kept(two, Policy(counts={"daily": 2}))["2026-11-24T06:00"] == ("oldest",)
    assert kept(two, Policy(counts={"daily": 1})).keys() == {"2026-11-24T18:00"}


def test_within_counts_back_from_the_newest_snapshot() -> None:
    """Not from today; exactly so long before is too old."""
    assert set(kept(DAYS, Policy(within=(Within(Duration(days=1)),)))) == {"2026-11-24T06:00", "2026-11-24T18:00"}


def test_unlimited_keeps_every_period() -> None:
    """One of each day, however many there are, and the oldest of all."""
    assert len(kept(DAYS, Policy(counts={"daily": UNLIMITED}))) == 25


def test_an_empty_policy_is_refused() -> None:
    """No rule means no decision, not the removal of everything."""
    for policy in (Policy(), Policy(counts={"daily": 0})):
        with pytest.raises(ValueError, match="empty policy"):
            decide(DAYS, policy, now=NOW, zone=UTC)


def test_an_incomplete_snapshot_takes_no_place() -> None:
    """It stays as long as no complete one is newer, and displaces none."""
    newest = at("2026-11-25T06:00", is_complete=False)
    old = at("2026-11-20T07:00", is_complete=False)
    assert kept([*DAYS, newest, old], Policy(counts={"last": 1})) == {
        "2026-11-25T06:00": ("incomplete",),
        "2026-11-24T18:00": ("last", "newest-complete"),
    }


def test_a_snapshot_of_the_future_displaces_nothing() -> None:
    """Whoever can set a clock cannot make the past go."""
    forged = [at(f"2099-01-{day:02}T00:00") for day in range(1, 8)]
    found = kept([*DAYS, *forged], Policy(counts={"daily": 7}))
    assert {id_ for id_, reasons in found.items() if reasons == ("future",)} == {each.id for each in forged}
    assert len(found) == 14


def test_one_that_lost_most_of_its_resources_displaces_nothing_until_it_is_pinned() -> None:
    """Neither do those after it, which are as small; a pin says that this is how it is now."""
    small = [at(f"2026-11-24T{hour}:30", resources=10) for hour in (19, 20, 21)]
    found = kept([*DAYS, *small], Policy(counts={"last": 2}))
    assert {id_ for id_, reasons in found.items() if "shrunk" in reasons} == {each.id for each in small}
    assert {"2026-11-24T18:00", "2026-11-24T06:00"} <= found.keys()

    small[0] = msgspec.structs.replace(small[0], is_pinned=True)
    found = kept([*DAYS, *small], Policy(counts={"last": 2}))
    assert found == {
        "2026-11-24T21:30": ("last", "newest-complete"),
        "2026-11-24T20:30": ("last",),
        "2026-11-24T19:30": ("pinned",),
    }


def test_half_is_not_too_much() -> None:
    """The share is what may be lost, itself included."""
    half = at("2026-11-24T19:00", resources=50)
    assert "shrunk" not in kept([*DAYS, half], Policy(counts={"last": 1}))[half.id]


SNAPSHOTS = st.lists(
    st.builds(
        lambda minutes, resources, is_complete, is_pinned: (minutes, resources, is_complete, is_pinned),
        st.integers(-200_000, 1_000),
        st.integers(0, 20),
        st.booleans(),
        st.booleans(),
    ),
    max_size=40,
).map(
    lambda rows: [
        Snapshot(f"{number:03}", NOW + timedelta(minutes=minutes), *rest)
        for number, (minutes, *rest) in enumerate(rows)
    ]
)
POLICIES = st.builds(
    Policy,
    counts=st.dictionaries(st.sampled_from(RULES), st.integers(-1, 5), max_size=4),
    within=st.lists(
        st.builds(Within, st.builds(Duration, days=st.integers(1, 90)), st.sampled_from(RULES)), max_size=2
    ).map(tuple),
    max_shrink=st.sampled_from([0.0, 0.5, 1.0]),
).filter(lambda policy: not policy.is_empty)


@given(SNAPSHOTS, POLICIES)
def test_what_cannot_be_bent(snapshots: list[Snapshot], policy: Policy) -> None:
    """Each is decided on once; pins, the future and the newest complete one stay; and again it decides the same."""
    decisions = decide(snapshots, policy, now=NOW, zone=UTC)
    staying = {each.id for each in decisions if each.is_kept}
    assert sorted(each.id for each in decisions) == [each.id for each in snapshots]
    assert staying >= {each.id for each in snapshots if each.is_pinned or each.time > NOW}
    complete = [each for each in snapshots if each.is_complete and each.time <= NOW]
    if complete:
        assert max(complete, key=lambda each: (each.time, each.id)).id in staying
    assert all(each.reasons for each in decisions)


@given(SNAPSHOTS, POLICIES)
def test_places_are_taken_as_a_slow_reading_of_the_rules_says(snapshots: list[Snapshot], policy: Policy) -> None:
    """Of plain snapshots, written a second time without any state: the newest of a period, among so many periods."""
    plain = [msgspec.structs.replace(each, is_complete=True, is_pinned=False, resources=1) for each in snapshots]
    plain = [each for each in plain if each.time <= NOW]
    expected = {id_ for rule, count in policy.counts.items() for id_ in slow(plain, rule, count)}
    newest = max((each.time for each in plain), default=NOW)
    for within in policy.within:
        since = newest - timedelta(days=within.duration.days)
        expected |= {id_ for id_ in slow(plain, within.rule, UNLIMITED) if known(plain, id_).time > since}
    found: list[Decision] = decide(plain, policy, now=NOW, zone=UTC)
    assert {each.id for each in found if each.is_kept} - expected <= {each.id for each in found[:1]}
    assert expected <= {each.id for each in found if each.is_kept}


def known(snapshots: Sequence[Snapshot], id_: str) -> Snapshot:
    return next(each for each in snapshots if each.id == id_)


def slow(snapshots: Sequence[Snapshot], rule: Rule, count: int) -> set[str]:
    """Which a rule keeps: of each period the newest, of the newest periods, and the oldest if there are fewer."""
    newest_of: dict[tuple[object, ...], Snapshot] = {}
    ordered = sorted(snapshots, key=lambda each: (each.time, each.id))
    for each in ordered:
        newest_of[(each.id,) if rule == "last" else PERIOD_OF[rule](each.time)] = each
    chosen = sorted(newest_of.values(), key=lambda each: (each.time, each.id), reverse=True)
    limit = len(chosen) if count == UNLIMITED else count
    found = {each.id for each in chosen[:limit]}
    return found | {ordered[0].id} if ordered and (count == UNLIMITED or len(chosen) < limit) else found
