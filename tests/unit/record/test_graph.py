"""Waves: the order in which records can be made."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bundle.model import Record, Reference
from bundle.record.canonical import make_record
from bundle.record.graph import place


def _record(key: str, *needs: str) -> Record:
    return make_record(key, {}, [Reference("/x", need, "name") for need in needs], [])


def _waves(*records: Record) -> dict[str, int]:
    return {placed.record.key: placed.wave for placed in place(records)}


def test_a_record_comes_after_what_it_needs() -> None:
    """A record's wave is one more than the latest wave it needs."""
    waves = _waves(
        _record("deployment:d", "flow:f", "work-queue:q"),
        _record("work-queue:q", "work-pool:p"),
        _record("work-pool:p"),
        _record("flow:f"),
    )

    assert waves == {"flow:f": 0, "work-pool:p": 0, "work-queue:q": 1, "deployment:d": 2}


def test_what_nothing_refers_to_may_have_to_come_first() -> None:
    """A record comes after the one it is to follow, as far as that is there and does not need it."""
    records = [_record("flow:a"), _record("flow:b"), _record("flow:c", "flow:b")]
    after = {"flow:a": "flow:c", "flow:c": "flow:gone"}
    assert {each.record.key: each.wave for each in place(records, after)} == {"flow:b": 0, "flow:c": 1, "flow:a": 2}
    assert place(records, {"flow:b": "flow:c"}) == place(records)


def test_a_cycle_shares_one_wave() -> None:
    """Records that need each other share a wave, and what needs the cycle comes after it."""
    waves = _waves(
        _record("automation:a", "automation:b"),
        _record("automation:b", "automation:a"),
        _record("automation:c", "automation:a"),
    )

    assert waves == {"automation:a": 0, "automation:b": 0, "automation:c": 1}


def test_a_record_may_need_itself() -> None:
    """A self-reference is a cycle of one."""
    assert _waves(_record("automation:a", "automation:a")) == {"automation:a": 0}


def test_what_is_not_there_does_not_count() -> None:
    """A name that no record has does not delay anything."""
    assert _waves(_record("deployment:d", "variable:gone")) == {"deployment:d": 0}


def test_a_long_chain_needs_no_recursion() -> None:
    """Five thousand records in a row are placed."""
    chain = [_record("x:0"), *(_record(f"x:{number}", f"x:{number - 1}") for number in range(1, 5000))]

    assert max(_waves(*chain).values()) == 4999


edges = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30)


@given(edges, st.randoms())
def test_every_need_is_met_in_any_order_of_input(pairs: list[tuple[int, int]], random: object) -> None:
    """Whatever the order of the input, needs are in an earlier wave or in the same cycle."""
    needs: dict[int, set[int]] = {number: set() for number in range(10)}
    for one, other in pairs:
        needs[one].add(other)
    records = [_record(f"x:{one}", *(f"x:{other}" for other in sorted(others))) for one, others in needs.items()]
    placed = place(records)
    random.shuffle(records)  # type: ignore[attr-defined]
    waves = {each.record.key: each.wave for each in placed}

    assert place(records) == placed
    for one, others in needs.items():
        for other in others:
            same_cycle = _reaches(needs, other, one)
            assert waves[f"x:{other}"] < waves[f"x:{one}"] or (same_cycle and waves[f"x:{other}"] == waves[f"x:{one}"])


def _reaches(needs: dict[int, set[int]], start: int, goal: int) -> bool:
    seen: set[int] = set()
    todo = [start]
    while todo:
        here = todo.pop()
        if here == goal:
            return True
        if here not in seen:
            seen.add(here)
            todo += needs[here]
    return False
