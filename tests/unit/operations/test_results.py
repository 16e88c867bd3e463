"""bundle.operations.results: what left, joined with what is told of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.operations.results import Fate, Joined, join
from bundle.trust.statements import Ending


@pytest.mark.parametrize(
    ("state", "reason", "fate"),
    [
        ("succeeded", "created", "there"),
        ("succeeded", "updated", "there"),
        ("skipped", "exists-same", "there"),
        ("skipped", "exists-differs", "kept"),
        ("skipped", "unchangeable", "kept"),
        ("succeeded", "updated-partly", "kept"),
        ("skipped", "not-selected", "missing"),
        ("skipped", "tier-limit", "missing"),
        ("failed", "refused", "missing"),
        ("failed", "exists-same", "missing"),
        ("blocked", "exists-differs", "missing"),
        ("not_tried", "not-tried", "missing"),
        ("of tomorrow", "exists-same", "missing"),
    ],
)
def test_what_became_of_one(state: str, reason: str, fate: Fate) -> None:
    """It is there, it kept what it was, or it is missing; what failed is missing whatever the reason is called."""
    assert join(["flow:etl"], [Ending("flow:etl", state, reason)]) == Joined({"flow:etl": fate}, ())


KEYS = st.lists(st.sampled_from([f"flow:{name}" for name in "abcdef"]), max_size=8)


@given(st.sets(st.sampled_from([f"flow:{name}" for name in "abcdef"])), KEYS)
def test_every_key_is_accounted_for_once(left: set[str], told: list[str]) -> None:
    """Each that left or is told of has one fate or is unaccounted for: told once and sent, or not."""
    found = join(sorted(left), [Ending(key, "succeeded", "created") for key in told])

    assert {*found.fates, *found.unaccounted} == left | set(told)
    assert set(found.fates) == {key for key in left if told.count(key) == 1}
    assert len(found.fates) + len(found.unaccounted) == len(left | set(told))
