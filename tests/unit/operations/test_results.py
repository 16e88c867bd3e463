"""bundle.operations.results: what left, joined with what is told of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.operations.results import Fate, Joined, digest_there, join
from bundle.trust.statements import Ending
from support.fake_prefect import FakePrefect
from support.moving import import_into
from support.offline import api_of, run, speaking_to
from support.seeded import seeded


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
    assert join(["flow:etl"], [Ending("flow:etl", state, reason)]) == Joined({"flow:etl": fate})


def test_what_is_read_back_has_the_digest_of_what_left() -> None:
    """If all of it is there, deep fields too, whatever else the destination has; another one if anything differs."""
    fake, bundle = FakePrefect(seed=1), seeded()
    prepared = import_into(fake, bundle).prepared

    async def found() -> str | None:
        async with api_of(fake) as api:
            return await digest_there(prepared, api)

    with speaking_to(fake) as api:
        api.post("/variables/", name="of_nobody_here", value=1)
    assert run(found()) == bundle.manifest.content_digest
    with speaking_to(fake) as api:
        (variable,) = (each for each in api.post("/variables/filter") if each["name"] == "region")
        api.patch(f"/variables/{variable['id']}", value="moved")
    assert run(found()) not in {bundle.manifest.content_digest, None}


KEYS = st.lists(st.sampled_from([f"flow:{name}" for name in "abcdef"]), max_size=8)


@given(st.sets(st.sampled_from([f"flow:{name}" for name in "abcdef"])), KEYS)
def test_every_key_is_accounted_for_once(left: set[str], told: list[str]) -> None:
    """Each that left has one fate, or is unaccounted for unless it is told of once; others are named, too."""
    found = join(sorted(left), [Ending(key, "succeeded", "created") for key in told])

    assert {*found.fates, *found.unaccounted} == left
    assert set(found.unknown) == set(told) - left
    assert set(found.fates) == {key for key in left if told.count(key) == 1}
    assert len(found.fates) + len(found.unaccounted) == len(left)
